"""Tests of `ingress.telemetry.recorder`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import AccessLog as Settings
from ingress.config import Config
from ingress.errors import Outcome
from ingress.policy.access_logging import AccessLogging
from ingress.routing.route import Route
from ingress.telemetry.access_log import AccessLog
from ingress.telemetry.histogram import REQUESTS
from ingress.telemetry.record import AttemptRecord, ExchangeRecord
from ingress.telemetry.recorder import Recorder
from ingress.telemetry.traffic import Traffic
from ingress.value_map import ValueMap
from tests.support.exchange_record import answered, request_of
from tests.support.process import wait_until
from tests.support.threaded_clock import ThreadedClock
from tests.support.wire import ENDPOINT, OTHER_ENDPOINT, UPSTREAM


def answered_target() -> str:
    """The target of the request that `answered` makes."""
    request = answered().request
    assert request is not None
    return request.target.decode("ascii")


class RecorderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()
        self.clock = ThreadedClock()
        self.traffic = Traffic()
        access_log = AccessLog(self.clock, Settings(self.path), lambda: 0.0)
        self.recorder = Recorder(self.traffic, access_log)
        self.recorder.start()
        self.addCleanup(self.recorder.stop)

    def lines(self) -> list[str]:
        """Those of the access log, at the end."""
        stopped = self.recorder.stop()
        self.clock.run_until(lambda: stopped.called, "its end")
        return self.path.read_text().splitlines()

    def test_outcomes(self) -> None:
        """Exchanges are counted by how they ended."""
        for outcome in (Outcome.OK, Outcome.NO_ROUTE, Outcome.OK, Outcome.NO_ROUTE):
            self.recorder.record(answered(outcome=outcome))
        self.assertEqual(self.recorder.ok, 2)
        self.assertEqual(self.recorder.not_ok, Counter(no_route=2))

    def test_traffic(self) -> None:
        """They are counted by rule, method and status, with the times of the last endpoint."""
        record = answered(
            tries=[AttemptRecord(OTHER_ENDPOINT, 100.0, 502), AttemptRecord(ENDPOINT, 100.0, 200)]
        )
        self.recorder.record(record)
        ((series, row),) = self.traffic.take().rows.items()
        self.assertEqual((series.method, series.status), ("GET", "200"))
        self.assertEqual(sum(REQUESTS.buckets(row)), 1)

    def test_no_request(self) -> None:
        """What was no request has no method and no rule."""
        record = ExchangeRecord(b"192.0.2.1", 100.0)
        record.status, record.outcome = 400, Outcome.BAD_REQUEST
        self.recorder.record(record)
        ((series, _),) = self.traffic.take().rows.items()
        self.assertEqual(series.status, "400")
        self.assertEqual(self.recorder.not_ok, Counter(bad_request=1))

    def test_retries(self) -> None:
        """Endpoints that were asked because another one had failed are counted."""
        self.recorder.record(answered())
        self.recorder.record(answered(tries=()))
        self.assertEqual(self.recorder.retries, 0)
        self.recorder.record(answered(tries=[AttemptRecord(ENDPOINT, 100.0, 502)] * 3))
        self.assertEqual(self.recorder.retries, 2)

    def test_logged(self) -> None:
        """Each is a line of the access log."""
        self.recorder.record(answered())
        self.recorder.record(answered(status=404, outcome=Outcome.NO_ROUTE))
        first, second = self.lines()
        self.assertIn(' ok "-"', first)
        self.assertIn(' no_route "-"', second)

    def test_not_logged(self) -> None:
        """A rule may want no line, for all of its requests or for some, which are counted still."""
        for setting in (
            AccessLogging(is_off=True),
            AccessLogging(skipped=ValueMap.of([answered_target()])),
        ):
            route = Route(ingress=("default", "web"), upstream=UPSTREAM, logging=setting)
            self.recorder.record(answered(route=route))
        self.recorder.record(answered())
        self.assertEqual(self.recorder.ok, 3)
        self.assertEqual(len(self.lines()), 1)

    def test_fault(self) -> None:
        """A fault in the log does no harm to the exchange, nor to other lines."""
        fields: Any = {b"referer": "no bytes"}
        self.recorder.record(answered(request_of(fields)))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.recorder.record(answered())
        self.assertEqual(len(self.lines()), 1)

    def test_configuration(self) -> None:
        """The configuration says whether and where lines are written."""
        other = self.path.with_name("other")
        self.recorder.record(answered())
        self.recorder.apply(Config(access_log=Settings(other)))
        self.recorder.record(answered())
        self.recorder.apply(Config(access_log=None))
        self.recorder.record(answered())
        self.assertEqual(len(self.lines()), 1)
        self.assertEqual(len(other.read_text().splitlines()), 1)

    def test_reopened(self) -> None:
        """The log is opened anew when its file was moved away."""
        wait_until(self.path.exists, "the file")
        renamed = self.path.rename(self.path.with_name("renamed"))
        self.recorder.reopen()
        self.recorder.record(answered())
        self.assertEqual(len(self.lines()), 1)
        self.assertEqual(renamed.read_text(), "")
