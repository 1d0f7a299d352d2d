"""
Tests for `ingress.kube.writing.lanes`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.writing.lanes import Lanes
from ingress.token_bucket import TokenBucket


class LanesTests(SynchronousTestCase):
    """Capitals are urgent here."""

    def setUp(self) -> None:
        self.urgent: set[str] = set("ABC")
        buckets = [TokenBucket(1.0, 2), TokenBucket(0.5, 1)]
        self.lanes: Lanes[str] = Lanes(lambda name: 0 if name in self.urgent else 1, buckets)

    def drain(self) -> str:
        """The names in the order in which they are taken."""
        taken = ""
        while (found := self.lanes.first((), ())) is not None:
            taken += found[1]
            self.lanes.discard(found[1])
        return taken

    def test_order(self) -> None:
        """Urgent names come first, and each lane keeps its order."""
        self.lanes.add_all("xAyBz")
        self.assertEqual(len(self.lanes), 5)
        self.assertEqual(self.drain(), "ABxyz")

    def test_once(self) -> None:
        """A name waits once, and keeps its place."""
        self.lanes.add_all("xyx")
        self.assertEqual(self.drain(), "xy")

    def test_more_urgent(self) -> None:
        """A name that becomes more urgent changes its lane; one that becomes less so does not."""
        self.lanes.add_all("xyA")
        self.urgent = {"y"}
        self.lanes.add_all("yA")
        self.assertEqual(self.drain(), "Ayx")

    def test_passed_over(self) -> None:
        """Names that are busy, and lanes that are closed, are passed over."""
        self.lanes.add_all("ABxy")
        self.assertEqual(self.lanes.first("A", ()), (0, "B"))
        self.assertEqual(self.lanes.first("AB", ()), (1, "x"))
        self.assertEqual(self.lanes.first("x", {0}), (1, "y"))
        self.assertIsNone(self.lanes.first((), {0, 1}))

    def test_rates(self) -> None:
        """Each lane has a rate of its own."""
        self.assertEqual([self.lanes.take_token(0, 0.0) for _ in range(3)], [0.0, 0.0, 1.0])
        self.assertEqual([self.lanes.take_token(1, 0.0) for _ in range(2)], [0.0, 2.0])

    def test_clear(self) -> None:
        """Nothing waits after it was cleared."""
        self.lanes.add_all("Ax")
        self.lanes.clear()
        self.assertEqual((len(self.lanes), self.drain()), (0, ""))
