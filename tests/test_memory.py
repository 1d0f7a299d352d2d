"""
Tests for `ingress.memory`.
"""

from __future__ import annotations

import gc
import weakref

from twisted.trial.unittest import SynchronousTestCase

from ingress.memory import settle_objects


class Node:
    """Something that the collector sees."""

    def __init__(self) -> None:
        self.other: Node | None = None


class SettleTests(SynchronousTestCase):
    """Objects are taken out of the collector's sight."""

    def setUp(self) -> None:
        self.addCleanup(gc.unfreeze)

    def test_out_of_sight(self) -> None:
        """A full run no longer walks what was there, and walks what came later."""
        before = Node()
        settle_objects()
        after = Node()
        seen = {id(one) for one in gc.get_objects()}
        self.assertNotIn(id(before), seen)
        self.assertIn(id(after), seen)

    def test_still_freed(self) -> None:
        """What nothing refers to any more is freed as ever."""
        node = Node()
        gone = weakref.ref(node)
        settle_objects()
        del node
        self.assertIsNone(gone())

    def test_garbage_first(self) -> None:
        """Young cycles that are garbage already are freed, not kept."""
        node = Node()
        node.other = Node()
        node.other.other = node
        gone = weakref.ref(node)
        del node
        settle_objects()
        self.assertIsNone(gone())
