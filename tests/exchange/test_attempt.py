"""Tests of `ingress.exchange.attempt`."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import UpstreamKey
from ingress.exchange.attempt import Attempt
from ingress.policy.call_settings import CallSettings
from ingress.policy.load_balance import Algorithm, LoadBalance
from ingress.upstream.health import MAX_FAILURES
from tests.support.wire import ENDPOINT, UPSTREAM, Wire

SETTINGS = CallSettings()


class AttemptTests(SynchronousTestCase):
    """The result of an attempt counts when the next endpoint is picked."""

    def setUp(self) -> None:
        self.wire = Wire(ENDPOINT)
        self.calls = self.wire.plane.calls

    def begin(self, settings: CallSettings = SETTINGS, *, is_retry: bool = False) -> Attempt:
        return Attempt(self.calls, UPSTREAM, settings, ENDPOINT, is_retry=is_retry)

    def in_flight(self) -> tuple[int, int]:
        """Return the requests in flight of the endpoint and of all endpoints."""
        load = self.calls.registry.load(ENDPOINT)
        return load.in_flight, self.calls.retry_budget.in_flight

    def test_in_flight(self) -> None:
        """A request is in flight until its attempt ends, however it ends."""
        for succeeded in (True, False, None):
            attempt = self.begin()
            self.assertEqual(self.in_flight(), (1, 1))
            attempt.answered(200)
            self.assertEqual(self.in_flight(), (1, 1))
            attempt.ended(succeeded)
            self.assertEqual(self.in_flight(), (0, 0))

    def test_retries(self) -> None:
        """All attempts but the first of a call are retries, while they last."""
        budget = self.calls.retry_budget
        first = self.begin()
        self.assertEqual(budget.retries, 0)
        first.ended(False)
        second = self.begin(is_retry=True)
        self.assertEqual(budget.retries, 1)
        second.ended(True)
        self.assertEqual(budget.retries, 0)

    def test_health(self) -> None:
        """Failures eject the endpoint; attempts that show nothing do not count."""
        health = self.calls.balancer.health
        for succeeded, is_ejected in ((None, False), (False, True)):
            for _ in range(MAX_FAILURES):
                self.begin().ended(succeeded)
            self.assertEqual(health.is_ejected((UPSTREAM, ENDPOINT, None)), is_ejected)

    def test_health_is_of_an_upstream(self) -> None:
        """A Service of another namespace with the same endpoint ejects it for itself alone."""
        theirs = UpstreamKey("attacker", "web", "80")
        for _ in range(MAX_FAILURES):
            Attempt(self.calls, theirs, SETTINGS, ENDPOINT, is_retry=False).ended(False)
        health = self.calls.balancer.health
        self.assertTrue(health.is_ejected((theirs, ENDPOINT, None)))
        self.assertFalse(health.is_ejected((UPSTREAM, ENDPOINT, None)))

    def test_success_forgets_failures(self) -> None:
        """One whole response makes up for the failures before it."""
        for succeeded in (False, True) * MAX_FAILURES:
            self.begin().ended(succeeded)
        self.assertEqual(repr(self.calls.balancer.health), "<Health failing=0 ejected=0>")

    def test_latency(self) -> None:
        """For EWMA the latency is measured from the beginning to the head of the response."""
        attempt = self.begin(replace(SETTINGS, load_balance=LoadBalance(Algorithm.EWMA)))
        self.wire.advance(2)
        attempt.answered(200)
        now = self.wire.deadlines.now()
        self.wire.advance(5)
        attempt.ended(True)
        self.assertEqual(self.calls.registry.load(ENDPOINT).cost(now), 2.0)

    def test_record(self) -> None:
        """The record has the times and the status; the one given at the end without a response."""
        attempt = self.begin()
        self.wire.advance(1)
        attempt.connected()
        self.wire.advance(1)
        attempt.answered(404)
        self.wire.advance(1)
        attempt.ended(False, 502)
        record = attempt.record
        self.assertEqual(
            (record.connect_time, record.header_time, record.response_time, record.status),
            (1.0, 2.0, 3.0, 404),
        )
        attempt = self.begin()
        attempt.ended(False, 502)
        self.assertEqual(attempt.record.status, 502)

    def test_repr(self) -> None:
        """An attempt shows its endpoint."""
        attempt = self.begin()
        self.assertEqual(repr(attempt), f"<Attempt at {ENDPOINT}>")
        attempt.ended(None)
