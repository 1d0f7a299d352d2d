"""
A listing of the disk: the manifest files below some paths, and the folders to watch.

Everything here may block (a folder on a network) and is called in a thread.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from ingress.problem import Origin, Problem, printable
from ingress.problem_code import Code

SUFFIXES: Final = (".yaml", ".yml", ".json")

MAX_FOLDERS: Final = 10_000
"""Folders below one path; more of them mean that the path is the root of a disk by mistake."""

MAX_FILE_SIZE: Final = 64 * 1024 * 1024
"""In bytes; 30,000 objects take half of that."""

Signature = tuple[int, ...]
"""Device, inode, size, mtime and ctime of a file; empty for a file that does not exist."""


class FoundFile(msgspec.Struct, frozen=True, gc=False):
    """
    A file, or a pair of files, that objects are read from.

    Not tracked by the garbage collector, because there may be 10,000 of them.
    """

    path: str
    """Its path below a path of the configuration."""

    real: tuple[str, ...]
    """The real paths, without symbolic links, as events of inotify name them."""

    order: tuple[int, str]
    """If two files have the same object, the one of the smaller order is served."""

    signature: Signature
    settle_delay: float = 0.1
    """Seconds without a change before the file is read."""

    modified: float = 0.0
    """When it was modified last, in seconds since the epoch."""

    is_pair: bool = False
    """Whether ``path`` is a folder with ``tls.crt`` and ``tls.key``, or with ``ca.crt``."""

    @property
    def size(self) -> int:
        """Its bytes when it was found; of a pair, of its first file."""
        return self.signature[2] if len(self.signature) > 2 else 0


@dataclass(slots=True)
class Listing:
    """What a scan of all paths has found."""

    files: dict[str, FoundFile] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    """Folders (real paths) to watch."""

    places: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    """
    For each real path of a folder of manifests, or of a manifest that is a path of its own,
    the paths that lead to it, each with its place in the order of all paths.
    """

    problems: dict[str, Problem] = field(default_factory=dict)
    """Problems of paths that cannot be read, by path."""

    configuration: str = ""
    """The real path of the configuration, which is no manifest wherever it is; empty for none."""

    hidden: set[str] = field(default_factory=set)
    """Existing paths that cannot be read: files at and below them keep their last content."""

    unread: tuple[str, ...] = ()
    """Those of `problems` where manifests should be, or may be."""

    def miss(self, path: str, message: str) -> None:
        """Note that a path does not exist."""
        self.problems.setdefault(
            path, Problem(message, origin=Origin(printable(path)), code=Code.FILE_UNREADABLE)
        )

    def refuse(self, path: str, message: str) -> None:
        """Note that a path is not read."""
        self.miss(path, message)
        self.hidden.add(path)

    def refuse_unreadable(self, path: str, error: OSError) -> None:
        """Note that the system does not permit to read a path."""
        self.refuse(path, f"cannot be read: {error.strerror or error}")


def sign(status: os.stat_result) -> Signature:
    """The signature of a result of ``os.stat``."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def link_folders(path: str) -> Iterator[str]:
    """
    Every folder (real path) in which a change could make ``path`` lead elsewhere.

    These are the folder that contains the path and the folder of each symbolic link on the
    way; for a path that does not exist, the nearest existing folder.
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
    """Find the manifest files below each path; earlier paths win."""
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
                real = os.path.realpath(path)
                listing.places.setdefault(real, []).append((path, index))
                _take_file(path, real, status, index, listing)
    listing.unread = tuple(listing.problems)


def find_files(listing: Listing, paths: Iterable[str]) -> list[FoundFile]:
    """
    Find single manifest files again without a scan.

    :param listing: the result of the last scan.
    :param paths: real paths; those that lead to no manifest file are left out.
    """
    found = Listing(configuration=listing.configuration)
    for real in paths:
        try:
            status = os.lstat(real)
        except OSError:
            continue
        if not stat.S_ISREG(status.st_mode):
            continue  # a symbolic link or a folder concerns more than one file
        folder, name = os.path.split(real)
        for path, index in listing.places.get(real, ()):
            _take_file(path, real, status, index, found)
        if name.endswith(SUFFIXES) and not name.startswith("."):
            for path, index in listing.places.get(folder, ()):
                _take_file(os.path.join(path, name), real, status, index, found)
    return list(found.files.values())


def _scan_folder(root: str, index: int, listing: Listing) -> None:
    """Find the manifest files of a folder and all folders below it, each folder once."""
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
            listing.places.setdefault(real, []).append((folder, index))
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
                listing.miss(entry.path, "is a broken symbolic link")
        except OSError as error:
            listing.refuse_unreadable(entry.path, error)
    return subfolders


def _take_file(path: str, real: str, status: os.stat_result, index: int, listing: Listing) -> None:
    if real == listing.configuration:
        return
    # Reading anything else (a pipe, a device) might never end.
    if not stat.S_ISREG(status.st_mode):
        listing.refuse(path, "is neither a file nor a folder")
    elif status.st_size > MAX_FILE_SIZE:
        most = f"{MAX_FILE_SIZE // 1024**2} MiB ({MAX_FILE_SIZE:,} bytes) at most"
        listing.refuse(path, f"has {status.st_size:,} bytes; a file of {most} is read")
    else:
        found = FoundFile(path, (real,), (index, path), sign(status), modified=status.st_mtime)
        listing.files.setdefault(path, found)
