"""
Files that are read again periodically because others replace them: the kubelet, for example,
replaces the token of a service account about every hour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

RunInThread = Callable[..., "Deferred[Any]"]
"""Calls a function with its arguments in a thread."""

MAX_AGE = 60.0
"""Seconds for which a content is used; tokens are replaced long before they expire."""

MAX_FILE_SIZE = 1 << 20
"""Bytes. Far more than certificates and tokens have; a wrong path may lead to a device."""


class UnreadableFile(OSError):
    """A file cannot be read; the message names it and says why."""


class FreshFiles:
    """
    Some files that are read together.

    If one cannot be read any more, the earlier contents are used, and the log says so.

    :param clock: for the age of the contents.
    :param run_in_thread: runs the reading.
    """

    log = Logger()

    def __init__(self, clock: Any, run_in_thread: RunInThread, paths: Sequence[Path]) -> None:
        self._clock = clock
        self._run_in_thread = run_in_thread
        self._paths = tuple(paths)
        self._contents: tuple[bytes, ...] | None = None
        self._expires = float("-inf")
        self._waiting: list[Deferred[tuple[bytes, ...]]] | None = None
        """The callers that wait for a read; None if no read is under way."""

        self._last_fault = ""

    def __repr__(self) -> str:
        return f"<FreshFiles: {', '.join(str(path) for path in self._paths)}>"

    async def contents(self) -> tuple[bytes, ...]:
        """
        The contents of each file, at most a minute old.

        :raises UnreadableFile: if a file was never read.
        """
        if self._contents is not None and self._clock.seconds() < self._expires:
            return self._contents
        # A Deferred for each caller, so that cancelling one does not affect the others.
        waiting: Deferred[tuple[bytes, ...]] = Deferred()
        if self._waiting is None:
            self._waiting = [waiting]
            self._run_in_thread(read_files, self._paths).addCallbacks(self._read, self._failed)
        else:
            self._waiting.append(waiting)
        return await waiting

    def expire(self) -> None:
        """Read the files before they are used again."""
        self._expires = float("-inf")

    def _read(self, contents: tuple[bytes, ...]) -> None:
        self._contents = contents
        self._last_fault = ""
        self._end(contents)

    def _failed(self, failure: Failure) -> None:
        if self._contents is None or not failure.check(UnreadableFile):
            self._end(failure)
            return
        if failure.getErrorMessage() != self._last_fault:
            self._last_fault = failure.getErrorMessage()
            self.log.warn("{reason}; its earlier content is used", reason=self._last_fault)
        self._end(self._contents)

    def _end(self, result: tuple[bytes, ...] | Failure) -> None:
        self._expires = self._clock.seconds() + MAX_AGE
        waiting, self._waiting = self._waiting or [], None
        for each in waiting:
            if not each.called:  # it may have been cancelled
                each.callback(result)


def read_files(paths: Sequence[Path]) -> tuple[bytes, ...]:
    """Read all files. :raises UnreadableFile: for the first that cannot be read."""
    return tuple(map(read_file, paths))


def read_file(path: Path) -> bytes:
    """Read a file. :raises UnreadableFile: if it cannot be read."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_SIZE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableFile(f"{path} cannot be read: {reason}") from error
    if len(data) > MAX_FILE_SIZE:
        raise UnreadableFile(f"{path} cannot be read: it has more than {MAX_FILE_SIZE} bytes")
    return data
