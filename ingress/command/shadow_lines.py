"""
The lines of a log while it is written: in pieces, through rotation and truncation.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any, BinaryIO, Final

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from ingress.command.failure import CannotRun

MAX_LINE: Final = 64 << 10
"""Bytes of a line; nginx writes heads of up to 32 KiB. The rest of a longer one is not kept."""

AT_ONCE: Final = 256 << 10
"""Bytes that are read in one turn of the reactor."""

INTERVAL: Final = 0.5
"""Seconds between two looks at a file."""


class LineSplitter:
    """
    Splits what comes into lines.

    :param receive: gets each line without its end; empty lines are left out. A line that is too
        long is given cut.
    """

    def __init__(self, receive: Callable[[bytes], None]) -> None:
        self._receive = receive
        self._pending = b""
        self._is_skipping = False
        """Whether the rest of a line that was too long is dropped."""

    def __repr__(self) -> str:
        return f"<LineSplitter {len(self._pending)} bytes>"

    def feed(self, data: bytes) -> None:
        """:param data: of any length."""
        *lines, rest = (self._pending + data).split(b"\n")
        for line in lines:
            if self._is_skipping:
                self._is_skipping = False
            elif line := line.rstrip(b"\r"):
                self._receive(line[:MAX_LINE])
        if self._is_skipping:
            rest = b""
        elif len(rest) > MAX_LINE:
            self._receive(rest[:MAX_LINE])
            self._is_skipping, rest = True, b""
        self._pending = rest

    def end(self) -> None:
        """Give the last line, which may have no end."""
        line, self._pending = self._pending.rstrip(b"\r"), b""
        if line and not self._is_skipping:
            self._receive(line)
        self._is_skipping = False

    def drop(self) -> bool:
        """
        Forget a line that has begun, because its rest will not come.

        :return: whether there was one.
        """
        had = bool(self._pending)
        self._pending, self._is_skipping = b"", False
        return had


class StreamLines(Protocol):
    """
    Lines of standard input.

    :param ended: called at its end.
    """

    def __init__(self, splitter: LineSplitter, ended: Callable[[], None]) -> None:
        self._splitter = splitter
        self._ended = ended

    def __repr__(self) -> str:
        return f"<StreamLines {self._splitter}>"

    def dataReceived(self, data: bytes) -> None:
        """Twisted: a piece has come."""
        self._splitter.feed(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Twisted: this was all."""
        self._splitter.end()
        self._ended()


class FileFollower:
    """
    Follows a file as ``tail -F`` does: a file that is renamed is read to its end, then the new one
    from its beginning; one that becomes shorter is read again from the beginning.

    :param clock: for looks.
    :param cut: called for each line of which the end never came.
    :param from_start: whether what is there already is read as well.
    :raises CannotRun: if there is no such file.
    """

    def __init__(
        self,
        clock: Any,
        path: str,
        splitter: LineSplitter,
        cut: Callable[[], None] = lambda: None,
        *,
        from_start: bool = False,
    ) -> None:
        self._clock = clock
        self._path = path
        self._splitter = splitter
        self._cut = cut
        self._call: IDelayedCall | None = None
        self.rotations = 0
        """Times that another file has taken its place, or that it was cut."""

        self.cut_lines = 0
        """Lines of which the end never came."""

        try:
            stream = self._opened()
        except OSError as error:
            raise CannotRun(f"{path}: {error.strerror}; a file or - is accepted") from None
        if stream is None:
            raise CannotRun(f"{path}: it is no file; - is standard input")
        self._stream: BinaryIO = stream
        if not from_start:
            stream.seek(0, os.SEEK_END)

    def __repr__(self) -> str:
        return f"<FileFollower {self._path}: {self.rotations} rotations>"

    def start(self) -> None:
        """Begin."""
        self._look()

    def stop(self) -> None:
        """End."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._stream.close()

    def _opened(self) -> BinaryIO | None:
        """
        :return: None if it is no file.
        :raises OSError: if it cannot be opened.
        """
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return None
        return os.fdopen(descriptor, "rb", buffering=0)

    def _look(self) -> None:
        delay = 0.0
        try:
            data = self._stream.read(AT_ONCE)
            if data:
                self._splitter.feed(data)
            elif not self._follow():
                delay = INTERVAL
        except OSError:
            delay = INTERVAL
        self._call = self._clock.callLater(delay, self._look)

    def _follow(self) -> bool:
        """:return: whether there is more to read at once: another file, or the same one again."""
        now = os.fstat(self._stream.fileno())
        if now.st_size < self._stream.tell():
            self._begin_again()
            self._stream.seek(0)
            return True
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return False
        if (there.st_dev, there.st_ino) == (now.st_dev, now.st_ino):
            return False
        following = self._opened()
        if following is None:
            return False
        self._begin_again()
        self._stream.close()
        self._stream = following
        return True

    def _begin_again(self) -> None:
        self.rotations += 1
        if self._splitter.drop():
            self.cut_lines += 1
            self._cut()
