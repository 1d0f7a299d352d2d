"""
Tests for ingress.kube.cluster.follower.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.cluster.follower import Follower


class Waiting(Follower):
    """Follows until its Deferred fires."""

    log = Logger()
    followed = "This"

    def __init__(self) -> None:
        self.wait: Deferred[None] = Deferred()

    async def _run(self) -> None:
        await self.wait


class FollowerTests(SynchronousTestCase):
    def test_stop(self) -> None:
        """It is cancelled by `stop`, which is no fault, and can be called again."""
        follower = Waiting()
        follower.start()
        self.assertTrue(follower.is_running)
        follower.stop()
        follower.stop()
        self.assertFalse(follower.is_running)
        self.assertTrue(follower.wait.called)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_fault(self) -> None:
        """An unexpected end is logged."""
        follower = Waiting()
        follower.start()
        follower.wait.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
