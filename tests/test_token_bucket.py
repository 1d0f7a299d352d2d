"""
Tests for `ingress.token_bucket`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.token_bucket import TokenBucket


class TokenBucketTests(SynchronousTestCase):
    """So many at once, and so many a second in the long run."""

    def test_burst(self) -> None:
        """What it holds can be had at once; then it says how long to wait."""
        bucket = TokenBucket(rate=2, burst=3)
        self.assertEqual([bucket.take(7) for _ in range(3)], [0, 0, 0])
        self.assertEqual(bucket.take(7), 0.5)
        self.assertEqual(bucket.take(7.25), 0.25)
        self.assertEqual(bucket.take(7.5), 0)
        self.assertEqual(bucket.take(7.5), 0.5)

    def test_full(self) -> None:
        """It fills up to its burst, and no more."""
        bucket = TokenBucket(rate=2, burst=2)
        for now in (0, 1000):
            self.assertEqual([bucket.take(now) for _ in range(3)], [0, 0, 0.5])

    def test_clock_goes_back(self) -> None:
        """A clock that goes back gives nothing, and takes nothing away."""
        bucket = TokenBucket(rate=1, burst=1)
        self.assertEqual(bucket.take(10), 0)
        self.assertEqual(bucket.take(5), 1)
        self.assertEqual(bucket.take(6), 0)

    def test_put_back(self) -> None:
        """One that was not used is there for the next, but never more than the burst."""
        bucket = TokenBucket(rate=1, burst=1)
        bucket.put_back()
        self.assertEqual([bucket.take(0), bucket.take(0)], [0, 1])
        bucket.put_back()
        self.assertEqual(bucket.take(0), 0)

    def test_is_full(self) -> None:
        """One that nobody has used for long is as good as a new one."""
        bucket = TokenBucket(rate=1, burst=2)
        self.assertTrue(bucket.is_full(0))
        bucket.take(0)
        self.assertFalse(bucket.is_full(0.9))
        self.assertTrue(bucket.is_full(1))
