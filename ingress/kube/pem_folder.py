"""
Secrets as PEM files: ``NAMESPACE/NAME/tls.crt`` and ``tls.key``, ``ca.crt``, or all three.

Kubernetes mounts a Secret behind a symbolic link, ``..data``, that it swaps; other tools
write one file after the other. The files are therefore read only after all of them stayed
unchanged for a while.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Final

from ingress.kube.folder import FoundFile, Listing, Signature, link_folders, sign
from ingress.kube.manifest import Reading
from ingress.kube.objects import Metadata, ObjectKey, Secret
from ingress.kube.validation import find_faults
from ingress.problem import Origin, Problem, printable
from ingress.problem_code import Code

PAIR: Final = ("tls.crt", "tls.key")
AUTHORITY: Final = "ca.crt"
"""Optional, with a pair or alone."""

FILES: Final = (*PAIR, AUTHORITY)

SETTLE_DELAY: Final = 0.3
"""Seconds; tools write the second file within milliseconds of the first."""

MAX_PEM_SIZE: Final = 1024 * 1024
"""In bytes, the API server's limit of a Secret."""


def scan_secrets(root: str, index: int, listing: Listing) -> None:
    """
    Find the pairs below ``root``; it may be missing.

    :param index: the place of the pairs in the order of all paths.
    """
    listing.folders.update(link_folders(root))
    for namespace in _subfolders(root, listing):
        for folder in _subfolders(namespace, listing):
            pair = _find_pair(folder, index, listing)
            if pair is not None:
                listing.files.setdefault(folder, pair)


def _subfolders(folder: str, listing: Listing) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        listing.folders.add(os.path.realpath(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        listing.refuse_unreadable(folder, error)
        return
    for entry in found:
        if not entry.name.startswith(".") and entry.is_dir():
            if entry.is_symlink():
                listing.folders.update(link_folders(entry.path))
            yield entry.path


def _find_pair(folder: str, index: int, listing: Listing) -> FoundFile | None:
    """The files of a folder, even if half of the pair is missing; None without any file."""
    listing.folders.add(os.path.realpath(folder))
    real = []
    for name in FILES:
        path = os.path.join(folder, name)
        if os.path.islink(path):
            listing.folders.update(link_folders(path))
        real.append(os.path.realpath(path))
    signature = sign_pair(folder)
    if not signature:
        return None
    return FoundFile(
        folder,
        tuple(real),
        (index, folder),
        signature,
        SETTLE_DELAY,
        modified=_modified(folder),
        is_pair=True,
    )


def _modified(folder: str) -> float:
    """When the latest file of a pair was modified; 0 if there is none any more."""
    latest = 0.0
    for name in FILES:
        with suppress(OSError):
            latest = max(latest, os.stat(os.path.join(folder, name)).st_mtime)
    return latest


def sign_pair(folder: str) -> Signature:
    """The signatures of all files; one that is missing or not a regular file counts as (-1,)."""
    signatures: list[Signature] = []
    for name in FILES:
        try:
            status = os.stat(os.path.join(folder, name))
        except OSError:
            signatures.append((-1,))
        else:
            signatures.append(sign(status) if stat.S_ISREG(status.st_mode) else (-1,))
    if all(signature == (-1,) for signature in signatures):
        return ()
    return tuple(chain.from_iterable(signatures))


def read_pair(folder: str) -> Reading:
    """
    Read the Secret in a folder; its faults are Problems of the Reading.

    The PEM itself is not checked here.
    """
    parent, name = os.path.split(folder)
    namespace = os.path.basename(parent)
    key: ObjectKey = ("Secret", namespace, name)
    origin = Origin(printable(folder))
    data = {}
    problems = []
    has_pair = any(os.path.lexists(os.path.join(folder, file)) for file in PAIR)
    for file in FILES:
        try:
            data[file] = read_pem(os.path.join(folder, file))
        except OSError as error:
            is_needed = has_pair if file in PAIR else not has_pair
            if isinstance(error, FileNotFoundError) and not is_needed:
                continue
            message = f"{file} cannot be read: {error.strerror or error}"
            problems.append(Problem(message, *key, origin=origin, code=Code.FILE_UNREADABLE))
    secret = Secret(
        metadata=Metadata(name=name, namespace=namespace),
        type="kubernetes.io/tls" if has_pair else "Opaque",
        data=data,
        origin=origin,
    )
    if not problems:
        problems.extend(
            Problem(
                fault.message,
                *key,
                field=".".join(map(str, fault.path)),
                origin=origin,
                code=Code.OBJECT_INVALID,
            )
            for fault in find_faults(secret)
        )
    return Reading(0, key, None if problems else secret, tuple(problems))


def read_pem(path: str) -> bytes:
    """:raises OSError: if it is no regular file, or larger than `MAX_PEM_SIZE`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("is not a regular file")
        content = file.read(MAX_PEM_SIZE + 1)
    if len(content) > MAX_PEM_SIZE:
        raise OSError("is larger than 1 MiB")
    return content
