"""
The access log: one line for each exchange, buffered, never blocking the reactor.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, ClassVar, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ingress import config
from ingress.telemetry.custom_line import compile_line
from ingress.telemetry.log_line import FORMATS, Formatter, nginx_line
from ingress.telemetry.log_writer import STDOUT, LogWriter
from ingress.telemetry.record import ExchangeRecord
from ingress.telemetry.relay_line import RELAY_FORMATS, RelayFormatter
from ingress.telemetry.relay_record import RelayRecord

FLUSH_LINES: Final = 256
"""Lines that are written together: some 64 KiB."""

LONG_LINE: Final = 4096
"""A line of more bytes is written at once: a request head can make one of 400 KiB."""

FLUSH_DELAY: Final = 0.5
"""Seconds that a line waits for others to be written with."""

CLOSE_DELAY: Final = 2.0
"""Seconds that the end of the process waits for the last lines to be written."""


class AccessLog:
    """
    :param reactor: for time, and `IReactorFromThreads`.
    :param settings: None for no log; `apply` changes them.
    :param wall_clock: seconds since the epoch.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self, reactor: Any, settings: config.AccessLog | None, wall_clock: Callable[[], float]
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._wall_clock = wall_clock
        self._writer: LogWriter | None = None
        self._closing: list[LogWriter] = []
        """Earlier writers that still have lines to write."""

        self._format: Formatter
        self._is_default = False
        self._relay_format: RelayFormatter
        self._to_text: Callable[[float], bytes]
        self._has_exchanges = True
        self._has_relays = True
        self._lines: list[bytes] = []
        self._flush_call: IDelayedCall | None = None
        self._second = -1.0
        """The second that `_time` is the text of."""

        self._time = b""
        self._dropped_before = 0
        self._is_running = False
        self._stopped: Deferred[None] | None = None
        self._too_late: IDelayedCall | None = None

    def __repr__(self) -> str:
        return f"<AccessLog {self._writer or 'off'} buffered={len(self._lines)}>"

    @property
    def dropped(self) -> int:
        """Lines lost so far, because their file or pipe did not take them."""
        writers = self._closing if self._writer is None else [*self._closing, self._writer]
        return self._dropped_before + sum(writer.dropped for writer in writers)

    # Observer.

    def start(self) -> None:
        """Observer."""
        self._is_running = True
        self._open()

    def stop(self) -> Deferred[None]:
        """Observer: fires when every line is written, or after `CLOSE_DELAY`."""
        self._is_running = False
        self._close()
        if not self._closing:
            return succeed(None)
        self._stopped = Deferred()
        self._too_late = self._reactor.callLater(CLOSE_DELAY, self._give_up)
        return self._stopped

    def apply(self, settings: config.AccessLog | None) -> None:
        """Write to this path and in this format from now on."""
        before, self._settings = self._settings, settings
        if not self._is_running or settings == before:
            return
        if self._writer is not None and settings is not None and settings.path == self._writer.path:
            self._use(settings)
        else:
            self._close()
            self._open()

    def reopen(self) -> None:
        """Open the path again, after the file was renamed."""
        self._flush()
        if self._writer is not None:
            self._writer.reopen()

    # Exchanges.

    def write(self, record: ExchangeRecord) -> None:
        """Write the line of an exchange that is over."""
        if self._writer is not None and self._has_exchanges:
            self._look_at_clock()
            # A native call in the format of nearly all.
            self._append(
                nginx_line(record, self._time)
                if self._is_default
                else self._format(record, self._time)
            )

    def write_relay(self, record: RelayRecord) -> None:
        """Write the line of a relay that is over."""
        if self._writer is not None and self._has_relays:
            self._look_at_clock()
            self._append(self._relay_format(record, self._time))

    def _look_at_clock(self) -> None:
        now = self._wall_clock()
        if not self._second <= now < self._second + 1:
            self._second = now // 1
            self._time = self._to_text(now)

    def _append(self, line: bytes) -> None:
        lines = self._lines
        lines.append(line)
        if len(lines) >= FLUSH_LINES or len(line) > LONG_LINE:
            self._flush()
        elif self._flush_call is None:
            self._flush_call = self._reactor.callLater(FLUSH_DELAY, self._flush_late)

    def _flush_late(self) -> None:
        self._flush_call = None
        self._flush()

    def _flush(self) -> None:
        """Hand the buffered lines to the writer."""
        lines, self._lines = self._lines, []
        if lines and self._writer is not None:
            self._writer.write(b"".join(lines), len(lines))

    # The writer.

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
        self._use(settings)
        self._writer = LogWriter(
            settings.path, self._reactor.callFromThread, self._failed, self._recovered
        )
        self._writer.start()

    def _use(self, settings: config.AccessLog) -> None:
        self._has_exchanges, self._has_relays = settings.has_exchanges, settings.has_relays
        custom = settings.custom
        # A custom format has the time of the format that it takes the place of.
        name = settings.format if custom is None else "nginx-exact"
        self._format, self._to_text = FORMATS[name]
        self._relay_format = RELAY_FORMATS[name]
        if custom is not None:
            self._format = compile_line(custom)
        self._is_default = self._format is nginx_line
        self._second = -1.0

    def _close(self) -> None:
        self._flush()
        if self._flush_call is not None:
            self._flush_call.cancel()
            self._flush_call = None
        writer, self._writer = self._writer, None
        if writer is not None:
            self._closing.append(writer)
            writer.stop().addCallback(self._written, writer)

    def _written(self, result: None, writer: LogWriter) -> None:
        """A writer that was closing has written everything."""
        self._closing.remove(writer)
        self._dropped_before += writer.dropped
        if not self._closing:
            self._end()

    def _give_up(self) -> None:
        self.log.error("Access log: {writers}: the last lines are lost", writers=self._closing)
        self._end()

    def _end(self) -> None:
        stopped, self._stopped = self._stopped, None
        if stopped is None:
            return
        assert self._too_late is not None
        if self._too_late.active():
            self._too_late.cancel()
        stopped.callback(None)

    def _failed(self, problem: str) -> None:
        self.log.error("Access log: {problem}", problem=problem)

    def _recovered(self) -> None:
        self.log.info(
            "Access log: lines are written again; lost so far: {count}", count=self.dropped
        )


def _is_null_device(descriptor: int) -> bool:
    """Whether a descriptor is /dev/null, as a daemon's standard output is, or is closed."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(os.devnull))
    except OSError:
        return True
