"""
The access log: a line for each exchange, buffered, never in anybody's way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ingress import config
from ingress.telemetry.log_line import FORMATS, Formatter
from ingress.telemetry.log_writer import STDOUT, LogWriter
from ingress.telemetry.record import ExchangeRecord

FLUSH_LINES: Final = 256
"""Lines that make a write: some 64 KiB."""

FLUSH_DELAY: Final = 0.5
"""Seconds from a line to its write, where no others come."""

CLOSE_DELAY: Final = 2.0
"""Seconds that the end of the process waits for lines that the system does not take."""


class AccessLog:
    """
    :param reactor: for time, and `IReactorFromThreads`.
    :param settings: None for no log; `apply` changes them.
    :param wall_clock: seconds since the epoch.
    """

    log = Logger()

    def __init__(
        self, reactor: Any, settings: config.AccessLog | None, wall_clock: Callable[[], float]
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._wall_clock = wall_clock
        self._writer: LogWriter | None = None
        self._format: Formatter
        self._to_text: Callable[[float], bytes]
        self._lines: list[bytes] = []
        self._flush_call: IDelayedCall | None = None
        self._second = -1.0
        """Of which `_time` is the text."""

        self._time = b""
        self._dropped_before = 0
        self._is_running = False

    def __repr__(self) -> str:
        return f"<AccessLog {self._writer or 'off'} buffered={len(self._lines)}>"

    @property
    def dropped(self) -> int:
        """Lines that were lost so far, because what they go to did not take them."""
        return self._dropped_before + (self._writer.dropped if self._writer is not None else 0)

    # Part.

    def start(self) -> None:
        self._is_running = True
        self._open()

    def stop(self) -> Deferred[None]:
        self._is_running = False
        return self._close()

    def apply(self, settings: config.AccessLog | None) -> None:
        """Write there, and so, from now on."""
        if settings != self._settings:
            self._settings = settings
            if self._is_running:
                self._close()
                self._open()

    def reopen(self) -> None:
        """The file was renamed: open its path anew for what comes from now on."""
        self._flush()
        if self._writer is not None:
            self._writer.reopen()

    # Exchanges.

    def write(self, record: ExchangeRecord) -> None:
        """An exchange is over."""
        if self._writer is None:
            return
        now = self._wall_clock()
        if not self._second <= now < self._second + 1:
            self._second = now // 1
            self._time = self._to_text(now)
        lines = self._lines
        lines.append(self._format(record, self._time))
        if len(lines) >= FLUSH_LINES:
            self._flush()
        elif self._flush_call is None:
            self._flush_call = self._reactor.callLater(FLUSH_DELAY, self._flush_late)

    def _flush_late(self) -> None:
        self._flush_call = None
        self._flush()

    def _flush(self) -> None:
        """Hand over what has come together."""
        lines, self._lines = self._lines, []
        if lines and self._writer is not None:
            self._writer.write(b"".join(lines), len(lines))

    # What they are written to.

    def _open(self) -> None:
        settings = self._settings
        if settings is None:
            return
        if settings.path is None and _is_null_device(STDOUT):
            self.log.warn(
                "The access log goes to standard output, which is {device}: "
                "access-log.path names a file",
                device=os.devnull,
            )
        self._format, self._to_text = FORMATS[settings.format]
        self._second = -1.0
        self._writer = LogWriter(settings.path, self._reactor.callFromThread, self._tell)
        self._writer.start()

    def _close(self) -> Deferred[None]:
        """:return: fires when all is written, or the time for that is over."""
        self._flush()
        if self._flush_call is not None:
            self._flush_call.cancel()
            self._flush_call = None
        writer, self._writer = self._writer, None
        if writer is None:
            return succeed(None)
        closed: Deferred[None] = Deferred()
        too_late = self._reactor.callLater(CLOSE_DELAY, closed.callback, None)

        def written(result: None) -> None:
            self._dropped_before += writer.dropped
            if too_late.active():
                too_late.cancel()
                closed.callback(None)

        writer.stop().addCallback(written)
        return closed

    def _tell(self, problem: str) -> None:
        self.log.error("Access log: {problem}; lines are lost meanwhile", problem=problem)


def _is_null_device(descriptor: int) -> bool:
    """Whether it is where a daemon's standard output goes."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(os.devnull))
    except OSError:
        return True
