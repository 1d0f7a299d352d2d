"""Tests of `ingress.serving.port_failures`."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ingress.port_service import TCP, PortKey
from ingress.serving.port_failures import FIRST_RETRY, RETRY, Failures, PortFailures

ONE, OTHER = PortKey(TCP, 1), PortKey(TCP, 2)


class FailureTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.found: Failures = {}
        self.attempts = 0
        self.reported: list[Failures] = []
        self.failures = PortFailures(self.clock, self.attempt)
        self.failures.report = self.reported.append

    def attempt(self) -> None:
        self.attempts += 1
        self.failures.note(self.found)

    def test_for_a_moment(self) -> None:
        """What fails once alone is reported to nobody."""
        self.found = {ONE: "in use"}
        self.attempt()
        self.found = {}
        self.clock.advance(FIRST_RETRY)
        self.assertEqual((self.attempts, self.reported), (2, []))
        self.clock.advance(100)
        self.assertEqual(self.attempts, 2)

    def test_lasting(self) -> None:
        """What lasts is reported once, tried again and again, and reported when it is over."""
        self.found = {ONE: "in use"}
        self.attempt()
        self.clock.advance(FIRST_RETRY)
        self.assertEqual(self.reported, [{ONE: "in use"}])
        self.clock.advance(RETRY)
        self.assertEqual((self.attempts, len(self.reported)), (3, 1))
        self.found = {}
        self.clock.advance(RETRY)
        self.assertEqual(self.reported[1:], [{}])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_another_one(self) -> None:
        """A new failure is tried soon, beside one that lasts."""
        self.found = {ONE: "in use"}
        self.attempt()
        self.clock.advance(FIRST_RETRY)
        self.found = {ONE: "in use", OTHER: "forbidden"}
        self.attempt()
        self.clock.advance(FIRST_RETRY)
        self.assertEqual(self.reported[-1], self.found)
        self.assertEqual(repr(self.failures), "<PortFailures: 2>")

    def test_stopped(self) -> None:
        """At the end nothing is tried any more."""
        self.found = {ONE: "in use"}
        self.attempt()
        self.failures.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_logged(self) -> None:
        """Where nobody makes Problems of them, they are logged."""
        failures = PortFailures(self.clock, lambda: None)
        failures.note({ONE: "in use"})
        with capturedLogs() as events:
            failures.note({ONE: "in use"})
        failures.stop()
        self.assertEqual([formatEvent(each) for each in events], ["TCP port 1 is not open: in use"])
