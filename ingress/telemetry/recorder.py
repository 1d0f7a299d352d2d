"""
Where the record of each exchange goes: into the counters and into the access log.
"""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ingress.config import Config
from ingress.endpoint import Endpoint
from ingress.errors import Outcome
from ingress.telemetry.access_log import AccessLog
from ingress.telemetry.record import ExchangeRecord, Try
from ingress.telemetry.traffic import Traffic


class Recorder:
    """
    :param traffic: counts.
    :param access_log: tells.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(self, traffic: Traffic, access_log: AccessLog) -> None:
        self.traffic = traffic
        self.access_log = access_log
        self.retries = 0
        """Endpoints that were asked because another one had failed."""

        self.ok = 0
        self.not_ok: Counter[str] = Counter()
        """Exchanges by how they ended; `ok` apart, for Outcomes take long to look up."""

        self._count = traffic.count
        self._write = access_log.write

    def start(self) -> None:
        """Part."""
        self.access_log.start()

    def stop(self) -> Deferred[None]:
        """Part."""
        return self.access_log.stop()

    def reopen(self) -> None:
        """ExchangePart."""
        self.access_log.reopen()

    def apply(self, config: Config) -> None:
        """Do as the configuration says from now on."""
        self.access_log.apply(config.access_log)

    def record(self, record: ExchangeRecord) -> None:
        """An exchange is over, or what came was refused before it was one."""
        request, tries = record.request, record.tries
        last = tries[-1] if tries else _NOBODY
        if len(tries) > 1:
            self.retries += len(tries) - 1
        self._count(
            record.route,
            b"" if request is None else request.method,
            record.status,
            record.duration,
            last.response_time,
            last.header_time,
            last.connect_time,
            record.request_size,
            record.body_size,
        )
        if record.outcome is _OK:
            self.ok += 1
        else:
            self.not_ok[record.outcome] += 1
        try:
            self._write(record)
        except Exception:
            # Whoever tells us has a response to send.
            self.log.failure("A line of the access log could not be written")


_OK: Final = Outcome.OK
_NOBODY: Final = Try(Endpoint("", 0), 0.0)
