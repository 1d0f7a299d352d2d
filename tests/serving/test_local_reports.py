"""Tests of `ingress.serving.local_reports`."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ingress.routing.route import Route
from ingress.serving.local_reports import LocalReports
from ingress.telemetry.endpoint_state import EndpointState
from ingress.telemetry.exchange_rows import ExchangeQuestion
from ingress.telemetry.totals import Totals
from ingress.telemetry.traffic import TAKEN_AT_ONCE, Traffic
from ingress.telemetry.vitals import Connections
from tests.support.turn_clock import TurnClock
from tests.support.wire import ENDPOINT, GET, Wire


class LocalReportsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = TurnClock()
        self.wire = Wire()
        self.traffic = Traffic()
        self.totals = Totals()
        self.reports = LocalReports(self.clock, self.wire.plane, self.traffic, self.totals)

    def refresh(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.reports.refresh())

    def count(self, series: int) -> None:
        for number in range(series):
            route = Route(("default", "web"), None, host=f"{number}.example")
            self.traffic.count(route, b"GET", 200, 0.5, None, None, None, 1, 1)

    def test_refresh(self) -> None:
        """The totals have all that was counted when it has fired, and others had their turns."""
        self.count(3 * TAKEN_AT_ONCE)
        refreshed = self.refresh()
        for _ in range(3):
            self.assertNoResult(refreshed)
            self.clock.advance(0)
        self.successResultOf(refreshed)
        self.assertEqual(self.totals.traffic.requests, 3 * TAKEN_AT_ONCE)

    def test_twice_at_once(self) -> None:
        """Two who ask at once count nothing twice."""
        self.count(3 * TAKEN_AT_ONCE)
        both = [self.refresh(), self.refresh()]
        self.clock.pump([0] * 10)
        for refreshed in both:
            self.successResultOf(refreshed)
        self.assertEqual(self.totals.traffic.requests, 3 * TAKEN_AT_ONCE)

    def test_exchanges(self) -> None:
        """The last exchanges are those of this process, if it records them."""
        question = Deferred.fromCoroutine(self.reports.exchanges(ExchangeQuestion()))
        self.assertEqual(self.successResultOf(question), ())

    def test_read(self) -> None:
        """Connections and endpoints are those of the moment."""
        self.wire.connect().send(GET)
        (vitals,) = self.reports.vitals()
        self.assertEqual(vitals.connections, Connections(writing=1))
        self.assertEqual(self.reports.endpoints(), {ENDPOINT: EndpointState(1)})
