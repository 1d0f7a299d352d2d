"""
Tests for `ingress.admin.turns`.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.streaming import SLICE
from ingress.admin.turns import Turns, in_slices
from ingress.steps import Steps


class TurningClock(Clock):
    """A clock that does in one turn what a reactor does: not what is asked for meanwhile."""

    def advance(self, amount: float) -> None:
        asked, self.calls = self.calls, []
        self.rightNow += amount
        due = [call for call in asked if call.time <= self.rightNow]
        self.calls += [call for call in asked if call.time > self.rightNow]
        for call in due:
            call.called = 1
            call.func(*call.args, **call.kw)


class TurnTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = TurningClock()
        self.turns = Turns(self.clock)
        self.done: list[str] = []

    def work(self, name: str, steps: int) -> Steps[str]:
        """Work whose steps take more than a slice each."""
        for _ in range(steps):
            self.clock.rightNow += 2 * SLICE
            self.done.append(name)
            yield
        return name

    def begin(self, name: str, steps: int) -> Deferred[str]:
        return Deferred.fromCoroutine(in_slices(self.turns, self.work(name, steps)))

    def test_order(self) -> None:
        """Each turn of the reactor has one slice, and works take turns."""
        one, two = self.begin("a", 3), self.begin("b", 2)
        seen = ["".join(self.done)]
        for _ in range(4):
            self.clock.advance(0)
            seen.append("".join(self.done))
        self.assertEqual(seen, ["a", "aa", "aab", "aaba", "aabab"])
        self.clock.pump([0, 0])
        self.assertEqual((self.successResultOf(one), self.successResultOf(two)), ("a", "b"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_at_once(self) -> None:
        """Short work is done at once while nobody waits."""
        self.assertEqual(self.successResultOf(self.begin("a", 0)), "a")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.begin("b", 2)
        self.assertNoResult(self.begin("c", 0))

    def test_cancelled(self) -> None:
        """Who does not wait any more takes no turn of others."""
        first = self.turns.callLater(0, self.done.append, "a")
        self.turns.callLater(0, self.done.append, "b")
        self.assertTrue(first.active())
        first.cancel()
        self.assertFalse(first.active())
        self.clock.advance(0)
        self.assertEqual(self.done, ["b"])
        self.assertFalse(self.turns.is_busy)

    def test_fault(self) -> None:
        """A call that fails ends no other one."""

        def fail() -> None:
            raise ValueError

        self.turns.callLater(0, fail)
        self.turns.callLater(0, self.done.append, "b")
        self.assertRaises(ValueError, self.clock.advance, 0)
        self.clock.advance(0)
        self.assertEqual(self.done, ["b"])

    def test_later(self) -> None:
        """What is due later is called when it is due, whoever waits."""
        self.turns.callLater(1, self.done.append, "later")
        self.assertFalse(self.turns.is_busy)
        self.clock.advance(1)
        self.assertEqual(self.done, ["later"])
        self.assertEqual(self.turns.seconds(), 1)
