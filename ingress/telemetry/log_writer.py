"""
A thread that writes lines to a file, so that a slow disk never blocks the reactor.

::

    reactor: write ──► queue, bounded ──► thread: open, write whole lines, open anew
                          │ full: dropped and counted

A disk that stalls, a pipe without a reader or a full file system costs lines of the log,
never a request.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Final

from twisted.internet.defer import Deferred

MAX_PENDING: Final = 8 << 20
"""Bytes that wait to be written: some seconds of lines at full speed."""

STDOUT: Final = 1

_MODE: Final = 0o640
"""The mode of a new file: the log shows which client requested what."""


class _Order(Enum):
    REOPEN = auto()
    STOP = auto()


class LogWriter:
    """
    :param path: None for standard output.
    :param in_reactor: calls a function in the reactor's thread: `callFromThread`.
    :param failed: called there with a sentence about the failure and its consequence, once
        until writing has succeeded again.
    :param recovered: called there when writing has succeeded again.
    """

    def __init__(
        self,
        path: Path | None,
        in_reactor: Callable[..., object],
        failed: Callable[[str], None],
        recovered: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = path
        self.dropped = 0
        """Lines that were lost, because too many waited or the system refused them."""

        self._in_reactor = in_reactor
        self._failed = failed
        self._recovered = recovered
        self._queue: SimpleQueue[bytes | _Order] = SimpleQueue()
        self._handed = 0
        self._done = 0
        """Bytes put into the queue, and bytes taken off it; one thread writes each number."""

        self._is_full = False
        """Whether all lines are dropped, until half of the queue is free."""

        self._ended: Deferred[None] = Deferred()
        self._thread = Thread(target=self._run, name="access log", daemon=True)

        # The thread's.
        self._descriptor: int | None = None
        self._max_piece = 0
        self._is_torn = False
        """Whether the last write ended within a line."""

        self._is_failing = False

    def __repr__(self) -> str:
        return f"<LogWriter {self.path or 'stdout'} pending={self._pending}>"

    # The reactor's side.

    @property
    def _pending(self) -> int:
        return self._handed - self._done

    def start(self) -> None:
        """Start the thread, in the process that writes: threads do not survive a fork."""
        self._thread.start()

    def write(self, lines: bytes, count: int) -> None:
        """
        :param lines: whole ones.
        :param count: how many.
        """
        if self._is_full and self._pending <= MAX_PENDING // 2:
            self._is_full = False
            self._recovered()
        elif not self._is_full and self._pending + len(lines) > MAX_PENDING:
            self._is_full = True
            self._failed(f"{self._where} does not take lines as fast as they come{_LOST}")
        if self._is_full:
            self.dropped += count
            return
        self._handed += len(lines)
        self._queue.put(lines)

    def reopen(self) -> None:
        """Open the path again after the lines in the queue: the file may have been renamed."""
        self._queue.put(_Order.REOPEN)

    def stop(self) -> Deferred[None]:
        """:return: fires when everything is written, which may be never."""
        self._queue.put(_Order.STOP)
        return self._ended

    # The thread's side.

    def _run(self) -> None:
        # At once, so that a fault is reported before a line is lost.
        self._open()
        while (lines := self._queue.get()) is not _Order.STOP:
            if isinstance(lines, bytes):
                self._take(lines)
                self._done += len(lines)
            else:
                self._open()
        self._close()
        self._in_reactor(self._ended.callback, None)

    def _take(self, lines: bytes) -> None:
        if self._descriptor is None and not self._open():
            self._lose(lines.count(b"\n"))
            return
        assert self._descriptor is not None
        # The rest of a line that was cut short must not become the beginning of the next.
        rest = memoryview(b"\n" + lines if self._is_torn else lines)
        try:
            while rest:
                rest = rest[self._write(self._descriptor, rest) :]
        except OSError as error:
            unwritten = bytes(rest).count(b"\n")
            self._lose(min(unwritten, lines.count(b"\n")))
            self._fail("cannot be written", error)
            return
        if self._is_failing:
            self._is_failing = False
            self._in_reactor(self._recovered)

    def _write(self, descriptor: int, rest: memoryview) -> int:
        """:return: how many bytes were written."""
        piece = rest[: _cut(rest, self._max_piece)]
        try:
            count = os.write(descriptor, piece)
        except BlockingIOError:
            # Another process that shares standard output may have made it non-blocking.
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()
            return 0
        if count:
            self._is_torn = piece[count - 1] != _LINE_END
        return count

    def _open(self) -> bool:
        """:return: whether a file is open: the new one, or the one before."""
        try:
            descriptor = STDOUT if self.path is None else _open_for_appending(self.path)
            status = os.fstat(descriptor)
        except OSError as error:
            if self._descriptor is not None:
                what = f"{self._where} cannot be opened again, the old file is kept"
                self._in_reactor(self._failed, f"{what}: {error.strerror}")
                return True
            self._fail("cannot be opened", error)
            return False
        if self._descriptor is not None:
            self._is_torn &= os.path.samestat(status, os.fstat(self._descriptor))
            self._close()
        self._descriptor = descriptor
        # Longer writes may be mixed with those of others to the same pipe (write(2)).
        self._max_piece = select.PIPE_BUF if stat.S_ISFIFO(status.st_mode) else MAX_PENDING
        return True

    def _close(self) -> None:
        if self._descriptor is not None and self.path is not None:
            os.close(self._descriptor)

    def _lose(self, count: int) -> None:
        self._in_reactor(self._drop, count)

    def _drop(self, count: int) -> None:
        self.dropped += count

    def _fail(self, what: str, error: OSError) -> None:
        if not self._is_failing:
            self._is_failing = True
            self._in_reactor(self._failed, f"{self._where} {what}: {error.strerror}{_LOST}")

    @property
    def _where(self) -> str:
        return "standard output" if self.path is None else str(self.path)


_LINE_END: Final = 0x0A
_LOST: Final = "; lines are lost meanwhile"


def _open_for_appending(path: Path) -> int:
    """Open for appending; a pipe without a reader fails at once instead of waiting for one."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, _MODE)
        # The umask of a daemon, 0077, would hide the log from the group.
        os.fchmod(descriptor, _MODE)
    except FileExistsError:
        descriptor = os.open(path, flags | os.O_CREAT, _MODE)
    os.set_blocking(descriptor, True)
    return descriptor


def _cut(lines: memoryview, most: int) -> int:
    """
    :return: the number of bytes to write at once: whole lines, if one fits.
    """
    if len(lines) <= most:
        return len(lines)
    end = bytes(lines[:most]).rfind(b"\n") + 1
    return end or most
