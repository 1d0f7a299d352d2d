"""Tests of `ingress.recent_values`."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.recent_values import RecentValues


class RecentValuesTests(SynchronousTestCase):
    def test_clear(self) -> None:
        """A cleared one has nothing."""
        values: RecentValues[int, int] = RecentValues(4)
        for key in range(4):
            values.put(key, key)
        values.clear()
        self.assertEqual((len(values), values.get(0), values.get(3)), (0, None, None))

    @given(st.lists(st.integers(0, 12), max_size=200), st.integers(1, 4))
    def test_recent(self, keys: list[int], half: int) -> None:
        """
        It never holds more than its size, never another value, and always those that were used
        last, half its size of them.
        """
        values: RecentValues[int, str] = RecentValues(2 * half)
        last: OrderedDict[int, None] = OrderedDict()
        for key in keys:
            found = values.get(key)
            if key in list(last)[-half:]:
                self.assertEqual(found, str(key))
            else:
                self.assertIn(found, (None, str(key)))
            if found is None:
                values.put(key, str(key))
            last.pop(key, None)
            last[key] = None
            self.assertLessEqual(len(values), 2 * half)
