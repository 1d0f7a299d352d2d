"""
What is on disk: the manifest files below some paths, and the folders to watch for changes.

Everything here may stall (a folder on a network) and is called in a thread.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from ingress.problem import Origin, Problem, printable

SUFFIXES: Final = (".yaml", ".yml", ".json")

MAX_FOLDERS: Final = 10_000
"""Folders below one path; who has more has named the root of a disk by mistake."""

MAX_FILE_SIZE: Final = 64 * 1024 * 1024
"""In bytes; 30,000 objects have half of that."""

Signature = tuple[int, ...]
"""What changes when a file does: device, inode, size, mtime and ctime; empty if there is none."""


class FoundFile(msgspec.Struct, frozen=True, gc=False):
    """
    A file, or a pair of files, that objects are read from.

    Without the collector's care, as the objects: there may be 10,000 of them.
    """

    path: str
    """As the configuration led to it."""

    real: tuple[str, ...]
    """Where it really is, symbolic links followed: as a writer's events name it."""

    order: tuple[int, str]
    """Of two that have the same object, the smaller one's is served."""

    signature: Signature
    settle_delay: float = 0.1
    """In seconds: how long it must stay as it is before it is read."""

    is_pair: bool = False
    """Whether ``path`` is a folder with ``tls.crt`` and ``tls.key``, or with ``ca.crt``."""


@dataclass(slots=True)
class Listing:
    """What was found below all paths."""

    files: dict[str, FoundFile] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    """Where a change can make a difference; real paths."""

    problems: dict[str, Problem] = field(default_factory=dict)
    """By path: what could not be looked at."""

    hidden: set[str] = field(default_factory=set)
    """Paths that are there but cannot be looked at: files there and below keep what they gave."""

    def miss(self, path: str, message: str) -> None:
        """Note that a path leads nowhere."""
        self.problems.setdefault(path, Problem(message, origin=Origin(printable(path))))

    def refuse(self, path: str, message: str) -> None:
        """Note that a path is not looked at."""
        self.miss(path, message)
        self.hidden.add(path)

    def refuse_unreadable(self, path: str, error: OSError) -> None:
        """Note that the system does not let us read a path."""
        self.refuse(path, f"cannot be read: {error.strerror or error}")


def sign(status: os.stat_result) -> Signature:
    """The signature of what ``os.stat`` says."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def link_folders(path: str) -> Iterator[str]:
    """
    Every folder where a change could make ``path`` lead elsewhere; each a real path.

    That is the folder that the path really is in, and the folder of every
    symbolic link on the way. What does not exist leads to the nearest folder that does.
    """
    real = os.sep
    pending = os.path.abspath(path).split(os.sep)[::-1]
    hops = 0
    while pending:
        step = pending.pop()
        if step in ("", "."):
            continue
        if step == "..":
            real = os.path.dirname(real)
            continue
        place = os.path.join(real, step)
        try:
            target = os.readlink(place)
        except OSError:
            if not os.path.lexists(place):
                yield real
                return
            if not pending:
                yield real
            real = place
            continue
        yield real
        hops += 1
        if hops > 40:  # as many as Linux follows
            return
        if os.path.isabs(target):
            real = os.sep
        pending.extend(target.split(os.sep)[::-1])


def scan_manifests(paths: Iterable[str], listing: Listing) -> None:
    """Find the manifest files below each path; the order of the paths decides who wins."""
    for index, path in enumerate(paths):
        listing.folders.update(link_folders(path))
        try:
            status = os.stat(path)
        except FileNotFoundError:
            listing.miss(path, "does not exist")
        except OSError as error:
            listing.refuse_unreadable(path, error)
        else:
            if stat.S_ISDIR(status.st_mode):
                _scan_folder(path, index, listing)
            else:
                _take_file(path, os.path.realpath(path), status, index, listing)


def _scan_folder(root: str, index: int, listing: Listing) -> None:
    """Find the manifest files of a folder and of all below, each folder once."""
    seen: set[tuple[int, int]] = set()
    pending = [root]
    while pending:
        folder = pending.pop()
        if len(seen) >= MAX_FOLDERS:
            listing.refuse(root, f"has more than {MAX_FOLDERS} folders below it")
            return
        try:
            status = os.stat(folder)
            identity = (status.st_dev, status.st_ino)
            if identity in seen:
                continue  # a symbolic link that leads up, or to where we were
            seen.add(identity)
            real = os.path.realpath(folder)
            listing.folders.add(real)
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:
            continue  # gone since its parent was read
        except OSError as error:
            listing.refuse_unreadable(folder, error)
            continue
        subfolders = _take_entries(found, real, index, listing)
        pending.extend(reversed(subfolders))


def _take_entries(
    entries: Iterable[os.DirEntry[str]], real: str, index: int, listing: Listing
) -> list[str]:
    """Take the manifest files of one folder; return its subfolders."""
    subfolders = []
    for entry in entries:
        if entry.name.startswith("."):
            continue
        is_manifest = entry.name.endswith(SUFFIXES)
        try:
            if entry.is_dir():
                subfolders.append(entry.path)
                if entry.is_symlink():
                    listing.folders.update(link_folders(entry.path))
                continue
            if not is_manifest:
                continue
            real_path = os.path.join(real, entry.name)
            if entry.is_symlink():
                listing.folders.update(link_folders(entry.path))
                real_path = os.path.realpath(entry.path)
            _take_file(entry.path, real_path, entry.stat(), index, listing)
        except FileNotFoundError:
            if entry.is_symlink():
                listing.miss(entry.path, "is a symbolic link that leads nowhere")
        except OSError as error:
            listing.refuse_unreadable(entry.path, error)
    return subfolders


def _take_file(path: str, real: str, status: os.stat_result, index: int, listing: Listing) -> None:
    # Anything else (a pipe, a device) might never end.
    if not stat.S_ISREG(status.st_mode):
        listing.refuse(path, "is neither a file nor a folder")
    elif status.st_size > MAX_FILE_SIZE:
        listing.refuse(path, f"is larger than {MAX_FILE_SIZE // 1024**2} MiB")
    else:
        found = FoundFile(path, (real,), (index, path), sign(status))
        listing.files.setdefault(path, found)
