"""
Tests for `ingress.telemetry.rate_keeper`.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.telemetry.rate_keeper import RateKeeper
from ingress.telemetry.rates import TICK, TICKS_OF_MINUTE, Rates
from tests.support.observed_proxy import HandReports


class SlowReports(HandReports):
    """Reports that take their time."""

    waiting: Deferred[None] | None = None
    fault: Exception | None = None

    async def gather(self) -> None:
        self.refreshed += 1
        if self.fault is not None:
            raise self.fault
        if self.waiting is not None:
            await self.waiting


class RateKeeperTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.reports = SlowReports()
        self.rates = Rates()
        self.keeper = RateKeeper(self.clock, self.reports, self.rates)
        self.keeper.startService()

    def periods(self) -> int:
        """How many have ended."""
        return self.rates._count

    def test_periods(self) -> None:
        """Counts are read at the end of each period."""
        self.clock.pump([TICK] * (TICKS_OF_MINUTE + 1))
        self.assertEqual(self.periods(), TICKS_OF_MINUTE + 1)
        self.assertEqual(self.reports.refreshed, TICKS_OF_MINUTE + 1)

    def test_slow(self) -> None:
        """A period ends when all was read; what was missed is a part of the next one."""
        self.reports.waiting = Deferred()
        self.clock.advance(TICK)
        self.clock.advance(3 * TICK)
        self.assertEqual(self.periods(), 0)
        self.reports.waiting.callback(None)
        self.reports.waiting = None
        self.assertEqual(self.periods(), 1)
        self.clock.pump([0, 0, TICK])
        self.assertEqual(self.periods(), 3)

    def test_fault(self) -> None:
        """A fault is logged, and periods go on."""
        self.reports.fault = ZeroDivisionError()
        self.clock.pump([TICK] * 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertEqual(self.periods(), 2)

    def test_stopped(self) -> None:
        """Nothing goes on at the end."""
        self.reports.waiting = Deferred()
        self.clock.advance(TICK)
        self.keeper.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.periods(), 0)
