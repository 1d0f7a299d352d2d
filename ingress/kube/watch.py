"""
Notification of changes in folders and of single files.

Events of inotify only cause another look; comparing signatures shows what has changed. A
lost event, or a file system without events, costs time and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from twisted.internet.interfaces import IReactorFDSet, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath

from ingress.kube.change import (
    POLL_DELAY,
    QUIET_DELAY,
    SETTLE_DELAY,
    WATCHED_POLL_DELAY,
    Change,
    ChangeCallback,
)
from ingress.kube.folder import Signature, link_folders, sign

try:
    from twisted.internet import inotify
except ImportError:  # no Linux
    inotify = None  # type: ignore[assignment]

_log = Logger()

_WATCHED: Final = (
    0
    if inotify is None
    else (
        inotify.IN_CLOSE_WRITE
        | inotify.IN_ATTRIB
        | inotify.IN_MOVED_FROM
        | inotify.IN_MOVED_TO
        | inotify.IN_CREATE
        | inotify.IN_DELETE
        | inotify.IN_MOVE_SELF
    )
)

MAX_FILES: Final = 1000
"""Files of a folder that are looked at: more are no configuration."""


class FolderWatcher:
    """
    Reports changes in a set of folders, if the system can.

    :param reactor: without file descriptors (a Clock), no change is reported.
    :param sees_writing: whether writes are reported before the file is closed.
    """

    def __init__(
        self, reactor: IReactorTime, changed: ChangeCallback, *, sees_writing: bool = True
    ) -> None:
        self._reactor = reactor
        self._changed = changed
        self._sees_writing = sees_writing
        self._folders: dict[str, tuple[int, int]] = {}
        """By real path: device and inode of each folder that is watched."""

        self._inotify: Any = None
        self._is_refused = inotify is None or not IReactorFDSet.providedBy(reactor)

    @property
    def folders(self) -> frozenset[str]:
        """The watched folders."""
        return frozenset(self._folders)

    def watch(self, folders: Iterable[str]) -> bool:
        """
        Watch these folders and no others.

        :return: whether all of them are watched; if not, the caller must poll.
        """
        wanted = {folder: identity for folder in folders if (identity := _identify(folder))}
        # A folder that was moved away and made again has the same name but no watch.
        for folder, identity in tuple(self._folders.items()):
            if wanted.get(folder) != identity:
                self._ignore(folder)
        if not self._open():
            return not wanted
        is_complete = True
        for folder, identity in wanted.items():
            if folder not in self._folders:
                try:
                    self._inotify.watch(
                        FilePath(os.fsencode(folder)), self._mask(), callbacks=[self._take]
                    )
                    self._folders[folder] = identity
                except inotify.INotifyError:
                    is_complete = False  # gone again, or no watches left
        return is_complete

    def stop(self) -> None:
        """Report no more changes."""
        self._is_refused = True
        self._folders.clear()
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _open(self) -> bool:
        if self._inotify is None and not self._is_refused:
            try:
                self._inotify = _open_inotify(self._reactor)
            except inotify.INotifyError:
                self._is_refused = True
                _log.warn("No inotify instance is available; changes are looked for twice a second")
        return self._inotify is not None

    def _mask(self) -> int:
        # IN_MODIFY is the only one that tells of an open file.
        return _WATCHED | (inotify.IN_MODIFY if self._sees_writing else 0)

    def _ignore(self, folder: str) -> None:
        del self._folders[folder]
        with suppress(KeyError):  # inotify has dropped it already, with the folder
            self._inotify.ignore(_file_path(folder))

    def _take(self, _: object, path: FilePath[bytes], mask: int) -> None:
        """INotify's callback."""
        real = os.fsdecode(path.path)
        if mask & (inotify.IN_DELETE_SELF | inotify.IN_MOVE_SELF):
            # The next folder of this name is another one.
            if real in self._folders and mask & inotify.IN_MOVE_SELF:
                self._ignore(real)
            self._folders.pop(real, None)
        changes = {
            inotify.IN_MODIFY: Change.WRITING,
            inotify.IN_CLOSE_WRITE: Change.WRITTEN,
            inotify.IN_MOVED_TO: Change.RENAMED,
            inotify.IN_DELETE: Change.REMOVED,
        }
        found = (change for bit, change in changes.items() if mask & bit)
        self._changed(real, next(found, Change.OTHER))


def _file_path(folder: str) -> FilePath[bytes]:
    return FilePath(os.fsencode(folder))


def _identify(folder: str) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return (status.st_dev, status.st_ino)


def _open_inotify(reactor: IReactorTime) -> Any:
    """
    A running INotify that survives the loss of a watched folder.

    Twisted's own closes itself (``_doRead`` calls ``loseConnection`` on IN_DELETE_SELF).
    """

    class Surviving(inotify.INotify):
        def loseConnection(self, *_: object) -> None:
            """Ignore the loss of a watched folder (called by INotify)."""

        def close(self) -> None:
            descriptor: Any = self
            descriptor.stopReading()
            descriptor.connectionLost(Failure(ConnectionAbortedError()))

    make: Any = Surviving
    opened = make(reactor)
    opened.startReading()
    return opened


class FileWatcher:
    """
    Reports when one of a few files has changed and is complete.

    :param paths: of files, and of folders, which stand for the files in them.
    :param changed: called without arguments, once for a burst of changes.
    """

    def __init__(
        self, reactor: IReactorTime, paths: Iterable[str], changed: Callable[[], None]
    ) -> None:
        self._reactor = reactor
        self._paths = tuple(map(str, paths))
        self._changed = changed
        self._watcher: FolderWatcher | None = None
        self._call: Any = None
        self._known: tuple[object, ...] = ()
        self._seen: tuple[object, ...] = ()

    def start(self) -> None:
        """Report changes from now on."""
        self._known = self._seen = self._sign()
        # An access log may lie beside the files, and would wake us with each write.
        self._watcher = FolderWatcher(
            self._reactor, lambda path, change: self._hurry(), sees_writing=False
        )
        self._schedule(self._poll_delay())

    def replace(self, paths: Iterable[str]) -> None:
        """Watch these paths from now on; what they are like now is known already."""
        replaced = tuple(paths)
        if replaced != self._paths:
            self._paths = replaced
            self._known = self._seen = self._sign()

    def stop(self) -> None:
        """Report no more changes."""
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher = None
        if self._call is not None and self._call.active():
            self._call.cancel()

    def _hurry(self) -> None:
        due = self._reactor.seconds() + QUIET_DELAY
        if self._call is not None and self._call.active() and self._call.getTime() > due:
            self._call.reset(QUIET_DELAY)

    def _schedule(self, delay: float) -> None:
        self._call = self._reactor.callLater(delay, self._look)

    def _look(self) -> None:
        found = self._sign()
        if found == self._known:
            self._seen = found
            self._schedule(self._poll_delay())
        elif found != self._seen:
            self._seen = found
            self._schedule(SETTLE_DELAY)
        else:
            self._known = found
            self._schedule(self._poll_delay())
            self._changed()

    def _poll_delay(self) -> float:
        """Watch the folders of the files; return the seconds until the next look."""
        folders = {folder for path in self._paths for folder in link_folders(path)}
        folders.update(path for path in self._paths if os.path.isdir(path))
        if self._watcher is not None and self._watcher.watch(folders):
            return WATCHED_POLL_DELAY
        return POLL_DELAY

    def _sign(self) -> tuple[object, ...]:
        return tuple(_signatures(path) for path in self._paths)


def _signatures(path: str) -> tuple[Signature, ...]:
    """Sign a file, or a folder and the first files in it."""
    try:
        signatures = [sign(os.stat(path))]
        if os.path.isdir(path):
            names = sorted(os.listdir(path))[:MAX_FILES]
            signatures += (sign(os.stat(os.path.join(path, name))) for name in names)
    except OSError:
        return ()
    return tuple(signatures)
