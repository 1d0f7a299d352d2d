"""
Where the record of each exchange goes: into the counters and into the access log.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from ingress.config import Config
from ingress.telemetry.access_log import AccessLog
from ingress.telemetry.record import ExchangeRecord
from ingress.telemetry.traffic import Traffic


class Recorder:
    """
    :param traffic: counts.
    :param access_log: tells.
    """

    def __init__(self, traffic: Traffic, access_log: AccessLog) -> None:
        self.traffic = traffic
        self.access_log = access_log
        self._count = traffic.count
        self._write = access_log.write

    def start(self) -> None:
        """Part."""
        self.access_log.start()

    def stop(self) -> Deferred[None]:
        """Part."""
        return self.access_log.stop()

    def apply(self, config: Config) -> None:
        """Do as the configuration says from now on."""
        self.access_log.apply(config.access_log)

    def record(self, record: ExchangeRecord) -> None:
        """An exchange is over, or what came was refused before it was one."""
        request, tries = record.request, record.tries
        if tries:
            last = tries[-1]
            times = (last.response_time, last.header_time, last.connect_time)
        else:
            times = _NOBODY_ASKED
        self._count(
            record.route,
            b"" if request is None else request.method,
            record.status,
            record.duration,
            *times,
            record.request_size,
            record.body_size,
        )
        self._write(record)


_NOBODY_ASKED = (None, None, None)
