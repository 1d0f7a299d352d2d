"""
A thread that writes what it is handed to a file, so that nobody waits for a slow disk.

::

    reactor: write ──► queue, bounded ──► thread: open, write whole lines, open anew
                          │ full: dropped and counted

A disk that stalls, a pipe that nobody reads and a file system that is full cost lines of
the log, never a request.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from select import PIPE_BUF
from threading import Thread
from typing import Final

from twisted.internet.defer import Deferred

MAX_PENDING: Final = 8 << 20
"""Bytes that wait to be written: some seconds of lines at full speed."""

STDOUT: Final = 1

_MODE: Final = 0o640
"""Of a file that is made: the log tells who asked for what."""


class LogWriter:
    """
    :param path: None for standard output.
    :param in_reactor: calls a function in the reactor's thread: `callFromThread`.
    :param failed: told there of what went wrong: once, until something is written again.
    """

    def __init__(
        self,
        path: Path | None,
        in_reactor: Callable[..., object],
        failed: Callable[[str], None],
    ) -> None:
        self.dropped = 0
        """Lines that were not written, because too many waited or the system refused."""

        self._path = path
        self._in_reactor = in_reactor
        self._failed = failed
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._handed = 0
        self._written = 0
        """Bytes that were handed over, and that are off the queue; each has one writer."""

        self._descriptor: int | None = None
        self._max_piece = 0
        self._is_failing = False
        self._ended: Deferred[None] = Deferred()
        self._thread = Thread(target=self._run, name="access log", daemon=True)

    def __repr__(self) -> str:
        return f"<LogWriter {self._path or 'stdout'} pending={self._handed - self._written}>"

    # The reactor's side.

    def start(self) -> None:
        """Begin. In the process that writes: threads do not survive a fork."""
        self._thread.start()

    def write(self, lines: bytes, count: int) -> None:
        """
        :param lines: whole ones.
        :param count: how many.
        """
        if self._handed - self._written > MAX_PENDING:
            self.dropped += count
            return
        self._handed += len(lines)
        self._queue.put(lines)

    def reopen(self) -> None:
        """Open the path anew, behind what was handed over so far: it may have been renamed."""
        self._queue.put(_REOPEN)

    def stop(self) -> Deferred[None]:
        """:return: fires when all is written; not at all while the system does not take it."""
        self._queue.put(None)
        return self._ended

    # The thread's side.

    def _run(self) -> None:
        while (lines := self._queue.get()) is not None:
            if lines is _REOPEN:
                self._open()
            else:
                self._take(lines)
                self._written += len(lines)
        if self._descriptor is not None and self._path is not None:
            os.close(self._descriptor)
        self._in_reactor(self._ended.callback, None)

    def _take(self, lines: bytes) -> None:
        if self._descriptor is None and not self._open():
            self._lose(lines)
            return
        assert self._descriptor is not None
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest[: _cut(rest, self._max_piece)]) :]
        except OSError as error:
            self._lose(bytes(rest))
            self._tell("cannot be written", error)
            return
        self._is_failing = False

    def _open(self) -> bool:
        """:return: whether there is something to write to: if not the new file, the one before."""
        try:
            descriptor = STDOUT if self._path is None else _open_for_appending(self._path)
        except OSError as error:
            self._tell("cannot be opened", error)
            return self._descriptor is not None
        if self._descriptor is not None and self._path is not None:
            os.close(self._descriptor)
        self._descriptor = descriptor
        is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        # What is longer may be mixed with what others write to the same pipe (write(2)).
        self._max_piece = PIPE_BUF if is_pipe else MAX_PENDING
        return True

    def _lose(self, lines: bytes) -> None:
        count = lines.count(b"\n")
        self._in_reactor(self._drop, count)

    def _drop(self, count: int) -> None:
        self.dropped += count

    def _tell(self, what: str, error: OSError) -> None:
        if not self._is_failing:
            self._is_failing = True
            where = self._path or "standard output"
            self._in_reactor(self._failed, f"{where} {what}: {error.strerror}")


_REOPEN: Final = b""


def _open_for_appending(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)


def _cut(lines: memoryview, most: int) -> int:
    """
    :return: how many bytes to write at once: whole lines, where one fits.
    """
    if len(lines) <= most:
        return len(lines)
    end = bytes(lines[:most]).rfind(b"\n") + 1
    return end or most
