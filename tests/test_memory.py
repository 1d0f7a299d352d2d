"""
Tests for `ingress.memory`.
"""

from __future__ import annotations

import gc
import weakref

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.memory import RELEASE_SLICE, RELEASED_AT_ONCE, SlowRelease, settle_objects


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


class SlowClock(Clock):
    """Each look at it takes half a slice."""

    def seconds(self) -> float:
        self.rightNow += RELEASE_SLICE / 2
        return self.rightNow


class SlowReleaseTests(SynchronousTestCase):
    """What nobody needs any more is freed little by little."""

    def hold(self, clock: Clock, count: int) -> tuple[SlowRelease, list[weakref.ref[Node]]]:
        nodes = {number: Node() for number in range(count)}
        release = SlowRelease(clock)
        release.hold(nodes)
        return release, [weakref.ref(node) for node in nodes.values()]

    def test_in_slices(self) -> None:
        """A slice frees what fits into it, and others have their turn before the next."""
        clock = SlowClock()
        _, gone = self.hold(clock, 3 * RELEASED_AT_ONCE)
        left: list[int] = []

        def look() -> None:
            left.append(sum(ref() is not None for ref in gone))
            if left[-1]:
                clock.callLater(0, look)

        look()
        clock.advance(1)
        self.assertEqual(left[-1], 0)
        self.assertGreater(len(set(left)), 2)

    def test_not_at_once(self) -> None:
        """Nothing is freed before the reactor has had its turn."""
        _, gone = self.hold(Clock(), 2)
        self.assertTrue(all(ref() is not None for ref in gone))

    def test_in_use(self) -> None:
        """What somebody else holds stays."""
        clock = Clock()
        node = Node()
        SlowRelease(clock).hold([node])
        gone = weakref.ref(node)
        clock.advance(0)
        self.assertIs(gone(), node)

    def test_stop(self) -> None:
        """Stopped, it frees the rest and leaves no timer."""
        clock = Clock()
        release, gone = self.hold(clock, 2)
        release.stop()
        self.assertEqual([ref() for ref in gone], [None, None])
        self.assertEqual(clock.getDelayedCalls(), [])
