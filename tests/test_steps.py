"""
Tests for `ingress.steps`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.steps import Steps, finish, ticking


def count(to: int, done: list[int]) -> Steps[str]:
    for number in range(to):
        done.append(number)
        yield
    return "done"


class FinishTests(SynchronousTestCase):
    """Work in steps can be done at once."""

    def test_result(self) -> None:
        """Every step is taken, and the result is that of the work."""
        done: list[int] = []
        self.assertEqual(finish(count(3, done)), "done")
        self.assertEqual(done, [0, 1, 2])

    def test_no_step(self) -> None:
        """Work without any step has a result, too."""
        self.assertEqual(finish(count(0, [])), "done")


class TickingTests(SynchronousTestCase):
    def test_ticks(self) -> None:
        """There is a tick after each step, and the result stays."""
        ticks: list[int] = []
        self.assertEqual(finish(ticking(count(3, []), lambda: ticks.append(1))), "done")
        self.assertEqual(len(ticks), 3)
