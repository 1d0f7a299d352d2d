"""Tests of `ingress.growing_delay`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.growing_delay import growing_delay


class GrowingDelayTests(SynchronousTestCase):
    def test_doubles(self) -> None:
        """Each delay is twice the last one, up to the longest."""
        delays = [growing_delay(0.5, 3.0, failures) for failures in range(1, 6)]
        self.assertEqual(delays, [0.5, 1.0, 2.0, 3.0, 3.0])

    def test_endless(self) -> None:
        """What fails for days has the longest delay: no power is beyond what a float can be."""
        self.assertEqual(growing_delay(60.0, 300.0, 100_000), 300.0)
