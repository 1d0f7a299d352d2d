"""
Tests for `ingress.explain.history`.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.explain.history import MOST, MOST_LINES, SnapshotHistory
from ingress.kube.objects import KubeObject
from ingress.published_change import PublishedChange
from ingress.routing.build import Built
from tests.support.objects import NOW, built, endpoint_slice, ingress, served, service


class HistoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.history = SnapshotHistory(self.clock, lambda: NOW)
        self.generation = 0
        self.last: Built | None = None

    def take(self, *objects: KubeObject | tuple[KubeObject, ...]) -> None:
        self.last = built(*objects, previous=self.last)
        self.generation += 1
        self.history.take(replace(self.last.snapshot, generation=self.generation))

    def settle(self) -> list[PublishedChange]:
        """The changes, after the work is done."""
        for _ in range(1000):
            if not self.clock.getDelayedCalls():
                break
            self.clock.advance(0.01)
        return list(self.history)

    def test_first(self) -> None:
        """The first Snapshot is no change."""
        self.take(ingress("a.example", {"/": "web:80"}), served("web"))
        self.assertEqual(self.settle(), [])

    def test_rules(self) -> None:
        """A change says what differs for clients, as `txingress diff` does."""
        self.take(ingress("a.example", {"/": "web:80"}), served("web"))
        self.take(
            ingress("a.example", {"/": "web:80", "/api": "api:80"}), served("web"), served("api")
        )
        (change,) = self.settle()
        self.assertEqual((change.generation, change.first, change.at), (2, 2, NOW))
        self.assertIn("a.example/api/*: default/web:80 -> default/api:80", change.lines)
        self.assertFalse(change.opens)

    def test_opened(self) -> None:
        """What may open access comes first, and is marked."""
        closed = {"whitelist-source-range": "10.0.0.0/8"}
        self.take(ingress("b.example", {"/": "web:80"}, annotations=closed), served("web"))
        self.take(
            ingress("a.example", {"/": "web:80"}, name="new"),
            ingress("b.example", {"/": "web:80"}),
            served("web"),
        )
        (change,) = self.settle()
        self.assertTrue(change.opens)
        self.assertTrue(change.lines[0].startswith("b.example/*: - "), change.lines)

    def test_endpoints(self) -> None:
        """So does a change of endpoints."""
        objects = ingress("a.example", {"/": "web:80"}), service("web")
        self.take(*objects, endpoint_slice("web", "10.0.0.1"))
        self.take(*objects, endpoint_slice("web", "10.0.0.2", "10.0.0.3"))
        (change,) = self.settle()
        (line,) = change.lines
        self.assertTrue(line.startswith("endpoints of default/web:80: 1 -> 2 (+ 10.0.0.2:"), line)
        self.assertIn("- 10.0.0.1:", line)

    def test_together(self) -> None:
        """What is published while a comparison runs is compared at once with the last of it."""
        for count in range(1, 6):
            self.take(
                *(ingress(f"{n}.example", {"/": "web:80"}, name=f"n{n}") for n in range(count)),
                served("web"),
            )
        changes = self.settle()
        self.assertEqual([(each.first, each.generation) for each in changes], [(3, 5), (2, 2)])
        self.assertEqual(len(changes[0].lines), 3)

    def test_bounded(self) -> None:
        """So many lines and changes are kept, whatever comes."""
        self.take(served("web"))
        self.take(
            *(ingress(f"{n}.example", {"/": "web:80"}, name=f"n{n}") for n in range(70)),
            served("web"),
        )
        (change,) = self.settle()
        self.assertEqual((len(change.lines), change.more), (MOST_LINES, 71 - MOST_LINES))
        for number in range(MOST + 5):
            self.take(ingress(f"x{number}.example", {"/": "web:80"}), served("web"))
            self.settle()
        self.assertEqual(len(self.history), MOST)

    def test_in_slices(self) -> None:
        """The work is done in turns."""
        self.take(served("web"))
        self.take(ingress("a.example", {"/": "web:80"}), served("web"))
        self.assertEqual(list(self.history), [])
        self.assertEqual(len(self.settle()), 1)
