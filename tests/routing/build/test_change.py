"""Tests of diffs by identity and of indexes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.routing.build.change import IndexUpdate, changed_names, sorted_in_steps
from ingress.steps import STRIDE, finish


class ChangedNamesTests(SynchronousTestCase):
    def test_changes(self) -> None:
        """Added, removed and replaced names are found; equal is not the same."""
        kept, old, new = [0], [1], [1]
        before = {"kept": kept, "replaced": old, "removed": old}
        after = {"added": kept, "replaced": new, "kept": kept}
        changed = finish(changed_names(before, after))
        self.assertEqual(changed, {"added", "removed", "replaced"})

    def test_nothing(self) -> None:
        """The same mapping, and one with the same values, have no change."""
        items = {1: [1], 2: [2]}
        self.assertEqual(finish(changed_names(items, items)), set())
        self.assertEqual(finish(changed_names(items, dict(items))), set())

    def test_steps(self) -> None:
        """A long pass is cut into steps."""
        items = dict.fromkeys(range(STRIDE * 3), "x")
        self.assertGreaterEqual(len(list(changed_names({}, items))), 3)


class IndexUpdateTests(SynchronousTestCase):
    def test_moves(self) -> None:
        """Users come and go; a key without users is gone."""
        update: IndexUpdate[str, int] = IndexUpdate({"a": {1, 2}, "b": {1}})
        update.move(1, ["a", "b"], ["a", "c"])
        update.move(3, [], ["a"])
        self.assertEqual(finish(update.finish()), {"a": {1, 2, 3}, "c": {1}})

    def test_original(self) -> None:
        """The original is never written to, and kept where nothing moves."""
        original = {"a": {1}}
        update = IndexUpdate(original)
        update.move(1, ["a"], ["a"])
        self.assertIs(finish(update.finish()), original)
        update.move(2, [], ["a"])
        self.assertEqual(finish(update.finish()), {"a": {1, 2}})
        self.assertEqual(original, {"a": {1}})


class SortTests(SynchronousTestCase):
    def test_sorted(self) -> None:
        """Few and many items are sorted, the many in steps."""
        for size in (0, 3, STRIDE, 3 * STRIDE + 1):
            items = [(number * 7919 % 1000, number) for number in range(size)]
            self.assertEqual(finish(sorted_in_steps(items)), sorted(items))
        self.assertGreater(len(list(sorted_in_steps(items))), 3)
