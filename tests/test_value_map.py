"""
Tests for `ingress.value_map`.
"""

from __future__ import annotations

import pickle

from twisted.trial.unittest import SynchronousTestCase

from ingress.linear_pattern import TextTooLong
from ingress.value_map import MAX_PATTERNS, ValueMap, ValueRefused


class ValueMapTests(SynchronousTestCase):
    """Members of lists, as in nginx's map."""

    def test_values(self) -> None:
        """Whole values are compared without regard to case."""
        values = ValueMap.of(["Evil/1.0", '"with blank"', "\\~tilde"])
        for value, is_in in (
            (b"evil/1.0", True),
            (b"EVIL/1.0", True),
            (b"Evil/1.0 x", False),
            (b"with blank", True),
            (b"~tilde", True),
            (b"", False),
        ):
            self.assertEqual(values.has(value), is_in, value)

    def test_patterns(self) -> None:
        """Patterns are searched for; only those after ~* ignore case."""
        patterns = ValueMap.of(["~Chrome", "~*fire.ox", '"~^a b$"'])
        for value, is_in in (
            (b"x Chrome y", True),
            (b"x chrome y", False),
            (b"FIREFOX", True),
            (b"a b", True),
            (b"a bc", False),
        ):
            self.assertEqual(patterns.has(value), is_in, value)

    def test_empty(self) -> None:
        """An empty list has nothing."""
        self.assertFalse(ValueMap.of([]))
        self.assertFalse(ValueMap.of([]).has(b""))

    def test_refused(self) -> None:
        """A pattern that cannot be matched in linear time is refused, and so are too many."""
        for members in (["~(?=x)"], ["~("], [f"~{number}" for number in range(MAX_PATTERNS + 1)]):
            with self.assertRaises(ValueRefused):
                ValueMap.of(members)

    def test_backtracking(self) -> None:
        """A pattern that would backtrack costs no time, and too long a text is told."""
        patterns = ValueMap.of(["~(a+)+$"])
        self.assertFalse(patterns.has(b"a" * 5000 + b"b"))
        with self.assertRaises(TextTooLong):
            ValueMap.of(["~(a{1,20}){1,30}x"]).has(b"a" * 60_000)

    def test_pickled(self) -> None:
        """It goes to workers."""
        patterns = ValueMap.of(["x", "~y"])
        self.assertEqual(pickle.loads(pickle.dumps(patterns)), patterns)
