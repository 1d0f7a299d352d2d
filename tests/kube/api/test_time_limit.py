"""
Tests for `ingress.kube.api.time_limit`.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.errors import APIUnreachable
from ingress.kube.api.time_limit import within


class WithinTests(SynchronousTestCase):
    """A request ends in time, one way or another."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.was_cancelled = False
        self.answer: Deferred[str] = Deferred(self.cancel)
        self.result = Deferred.fromCoroutine(within(5, self.clock, self.request()))

    def cancel(self, answer: Deferred[str]) -> None:
        self.was_cancelled = True

    async def request(self) -> str:
        return await self.answer

    def test_in_time(self) -> None:
        """Its result is the result, and no timer is left."""
        self.answer.callback("here")
        self.assertEqual(self.successResultOf(self.result), "here")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failed(self) -> None:
        """A failure within the time is passed on."""
        self.answer.errback(ValueError())
        self.failureResultOf(self.result, ValueError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_late(self) -> None:
        """A request that takes too long is cancelled."""
        self.clock.advance(4.9)
        self.assertNoResult(self.result)
        self.clock.advance(0.1)
        failure = self.failureResultOf(self.result, APIUnreachable)
        self.assertEqual(str(failure.value), "no answer within 5 s")
        self.assertTrue(self.was_cancelled)

    def test_no_time(self) -> None:
        """A limit that is over already ends the request in the next turn."""
        self.answer.callback("here")
        self.answer = Deferred()
        result = Deferred.fromCoroutine(within(-1, self.clock, self.request()))
        self.clock.advance(0)
        self.failureResultOf(result, APIUnreachable)

    def test_cancelled(self) -> None:
        """Cancelling is not a timeout."""
        self.result.cancel()
        self.failureResultOf(self.result, CancelledError)
        self.assertTrue(self.was_cancelled)
        self.assertEqual(self.clock.getDelayedCalls(), [])
