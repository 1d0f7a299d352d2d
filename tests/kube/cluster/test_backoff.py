"""
Tests for `ingress.kube.cluster.backoff`.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.cluster.backoff import FIRST_DELAY, MAX_DELAY, MAX_RETRY_AFTER, Backoff


class BackoffTests(SynchronousTestCase):
    """Delays grow, up to a bound."""

    def setUp(self) -> None:
        self.backoff = Backoff(Random(1))

    def test_grows(self) -> None:
        """Each delay is up to twice the one before, half of it random, and never beyond the bound."""
        most = FIRST_DELAY
        for _ in range(2000):
            delay = self.backoff.next_delay()
            self.assertTrue(most / 2 <= delay <= most, delay)
            most = min(2 * most, MAX_DELAY)

    def test_random(self) -> None:
        """Two that failed together do not come back together."""
        other = Backoff(Random(2))
        self.assertNotEqual(self.backoff.next_delay(), other.next_delay())

    def test_retry_after(self) -> None:
        """The delay that the server asks for is granted, within bounds."""
        self.assertEqual(self.backoff.next_delay(20.0), 20.0)
        self.assertEqual(self.backoff.next_delay(1e9), MAX_RETRY_AFTER)
        self.assertGreater(self.backoff.next_delay(0.0), 0.0)

    def test_reset(self) -> None:
        """After a success it begins anew."""
        for _ in range(5):
            self.backoff.next_delay()
        self.backoff.reset()
        self.assertLessEqual(self.backoff.next_delay(), FIRST_DELAY)
