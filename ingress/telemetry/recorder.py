"""
Takes the record of each exchange to the counters and to the access log.
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
from ingress.telemetry.exchange_ring import ExchangeRing
from ingress.telemetry.record import AttemptRecord, ExchangeRecord, RecordReceiver
from ingress.telemetry.relay_counts import RelayCounts, count_relay
from ingress.telemetry.relay_record import RelayReceiver, RelayRecord
from ingress.telemetry.traffic import Traffic


class Recorder(RecordReceiver):
    """
    :param traffic: counts each exchange.
    :param access_log: writes a line for each exchange, and for each relay.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(self, traffic: Traffic, access_log: AccessLog) -> None:
        self.traffic = traffic
        self.access_log = access_log
        self.retries = 0
        """Requests that were sent to another endpoint after one had failed."""

        self.ok = 0
        self.not_ok: Counter[str] = Counter()
        """Exchanges by outcome; `ok` is apart, because looking up an Outcome takes long."""

        self.relays: RelayCounts = {}
        """The relays that are over."""

        self.answered = ExchangeRing()
        """The last exchanges that an endpoint has answered."""

        self._has_unmatched = True
        self.unanswered = ExchangeRing()
        """The last ones that ended in another way: a busy rule does not push them out."""

    def start(self) -> None:
        """Observer."""
        self.access_log.start()

    def stop(self) -> Deferred[None]:
        """Observer."""
        return self.access_log.stop()

    def reopen(self) -> None:
        """ExchangeObserver."""
        self.access_log.reopen()

    def apply(self, config: Config) -> None:
        """Follow a new configuration."""
        settings = config.access_log
        self.access_log.apply(settings)
        self._has_unmatched = settings is None or settings.has_unmatched

    def record(self, record: ExchangeRecord) -> None:
        """Record an exchange that is over, or a refusal of what was no valid request."""
        request, tries = record.request, record.tries
        last = tries[-1] if tries else _NOBODY
        if len(tries) > 1:
            self.retries += len(tries) - 1
        self.traffic.count(
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
        try:
            route = record.route
            logging = route.logging if route is not None else None
            if logging is not None and logging.skips(b"" if request is None else request.target):
                pass
            elif self._has_unmatched or not _is_unmatched(record):
                self.access_log.write(record)
        except Exception:
            # The caller has a response to send.
            self.log.failure("A line of the access log could not be written")
        # At the end: a ring does not keep the request.
        if record.outcome is _OK:
            self.ok += 1
            self.answered.put(record)
        else:
            self.not_ok[record.outcome] += 1
            self.unanswered.put(record)

    def relay_ended(self, record: RelayRecord) -> None:
        """Record a relay that is over."""
        count_relay(self.relays, record)
        try:
            self.access_log.write_relay(record)
        except Exception:
            # Both connections are to be forgotten yet.
            self.log.failure("A line of the access log could not be written")


class RelayRecorder(RelayReceiver):
    """Takes the records of relays to the Recorder of a process."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def relay_ended(self, record: RelayRecord) -> None:
        """RelayReceiver."""
        self._recorder.relay_ended(record)


def _is_unmatched(record: ExchangeRecord) -> bool:
    """Whether no rule was for the request, and nobody or the default backend has answered it."""
    route = record.route
    if route is None:
        return record.outcome is Outcome.NO_ROUTE
    return not route.ingress[1]


_OK: Final = Outcome.OK
_NOBODY: Final = AttemptRecord(Endpoint("", 0), 0.0)
