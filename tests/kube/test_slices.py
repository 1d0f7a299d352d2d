"""
Tests for `ingress.kube.slices`.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.slices import LARGE_CYCLE, SLICE_DURATION, Slices, Stopped
from ingress.steps import Steps


class SliceTests(SynchronousTestCase):
    """Work is done in slices; each step here takes as long as one."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.settled = 0
        self.slices = Slices(self.clock, self.settle)

    def settle(self) -> None:
        self.settled += 1

    def work(self, steps: int) -> Steps[str]:
        for _ in range(steps):
            self.clock.rightNow += SLICE_DURATION * 1.5
            yield
        return "done"

    def run_work(self, steps: int) -> Deferred[str]:
        return Deferred.fromCoroutine(self.slices.run(self.work(steps)))

    def test_result(self) -> None:
        """After the last slice there is the result; the reactor has its turn in between."""
        result = self.run_work(3)
        self.assertNoResult(result)
        others: list[bool] = []
        self.clock.callLater(SLICE_DURATION, lambda: others.append(result.called))
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(result), "done")
        self.assertEqual(others, [False])

    def test_stopped(self) -> None:
        """Work that is stopped goes no further."""
        result = self.run_work(3)
        self.slices.is_running = False
        self.clock.advance(1)
        self.failureResultOf(result, Stopped)

    def test_fault(self) -> None:
        """An exception of the work is raised."""

        def fail() -> Steps[None]:
            yield
            raise ValueError

        result = Deferred.fromCoroutine(self.slices.run(fail()))
        self.clock.advance(1)
        self.failureResultOf(result, ValueError)

    def test_large(self) -> None:
        """A large cycle is settled while it lasts and at its end, a small one is not."""
        self.run_work(LARGE_CYCLE - 2)
        self.clock.advance(1)
        self.slices.end_cycle()
        self.assertEqual(self.settled, 0)
        self.slices.begin_cycle()
        self.run_work(2 * LARGE_CYCLE)
        self.clock.advance(1)
        during = self.settled
        self.slices.end_cycle()
        self.assertGreater(during, 0)
        self.assertEqual(self.settled, during + 1)
