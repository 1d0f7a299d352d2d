"""
Tests for `ingress.worker.reports`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import Endpoint, UpstreamKey
from ingress.telemetry.endpoint_state import EndpointState
from ingress.telemetry.exchange_rows import ExchangeQuestion
from ingress.telemetry.vitals import Connections, Vitals
from ingress.worker.reports import WorkerReports, WorkerState

ONE, OTHER = Endpoint("10.0.0.1", 80), Endpoint("10.0.0.2", 80)


class WorkerReportsTests(SynchronousTestCase):
    """What two workers tell, put together; here the workers are the test itself."""

    def setUp(self) -> None:
        self.states: list[WorkerState] = []
        self.asked: Deferred[None] = Deferred()
        self.reports = WorkerReports(self)

    def ask(self) -> Deferred[None]:
        """Asked."""
        return self.asked

    def question(self, question: object) -> Deferred[list[Any]]:
        """Asked."""
        return succeed([question])

    def test_exchanges(self) -> None:
        """Exchanges are asked of each worker."""
        question = ExchangeQuestion()
        answers = Deferred.fromCoroutine(self.reports.exchanges(question))
        self.assertEqual(self.successResultOf(answers), [question])

    def test_refresh(self) -> None:
        """A refresh waits for the workers."""
        refreshed = Deferred.fromCoroutine(self.reports.refresh())
        self.assertNoResult(refreshed)
        self.asked.callback(None)
        self.successResultOf(refreshed)

    def test_together(self) -> None:
        """There are the vitals of each and of this process, and the endpoints of all."""
        first, second = Vitals(Connections(1, 2, 3), 7), Vitals(Connections(), 8)
        web = frozenset({UpstreamKey("default", "web", "80")})
        self.states = [
            WorkerState(first, {ONE: EndpointState(1)}),
            WorkerState(second, {ONE: EndpointState(2, web), OTHER: EndpointState(0, web)}),
        ]
        ours, *others = self.reports.vitals()
        self.assertEqual(ours.connections, Connections())
        self.assertGreater(ours.memory, 1_000_000)
        self.assertEqual(others, [first, second])
        self.assertEqual(
            self.reports.endpoints(), {ONE: EndpointState(3, web), OTHER: EndpointState(0, web)}
        )
