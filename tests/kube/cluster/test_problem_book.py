"""
Tests for `ingress.kube.cluster.problem_book`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.cluster.problem_book import ProblemBook
from ingress.problem import Problem

BAD = (Problem("bad"),)


class ProblemBookTests(SynchronousTestCase):
    """Problems by what they belong to."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.book = ProblemBook(self.clock)
        self.told: list[dict[object, object]] = []
        self.book.subscribe(lambda: self.told.append(dict(self.book.current)))

    def test_together(self) -> None:
        """Changes of one turn are published together."""
        self.book.put("a", BAD)
        self.book.put("b", BAD)
        self.assertEqual(self.told, [])
        self.clock.advance(0)
        self.assertEqual(self.told, [{"a": BAD, "b": BAD}])

    def test_gone(self) -> None:
        """A Problem that ended is gone; the end of an unknown one changes nothing."""
        self.book.put("a", BAD)
        self.clock.advance(0)
        before = self.book.current
        self.book.put("a", BAD)
        self.book.put("b", ())
        self.clock.advance(0)
        self.assertIs(self.book.current, before)
        self.book.put("a", ())
        self.clock.advance(0)
        self.assertEqual(self.told[1:], [{}])
        self.assertEqual(before, {"a": BAD})

    def test_stopped(self) -> None:
        """After `stop` nothing is published."""
        self.book.put("a", BAD)
        self.book.stop()
        self.book.stop()
        self.clock.advance(0)
        self.assertEqual(self.told, [])
