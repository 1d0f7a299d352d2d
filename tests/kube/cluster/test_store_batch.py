"""
Tests for `ingress.kube.cluster.store_batch`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.cluster.store_batch import StoreBatch
from ingress.kube.objects import KubeObject
from ingress.kube.slices import Slices
from ingress.kube.store import ObjectStore
from tests.support.objects import service
from tests.support.turn_clock import TurnClock

WEB = ("Service", "default", "web")


class StoreBatchTests(SynchronousTestCase):
    """Changes that arrive together are one."""

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.store = ObjectStore()
        self.slices = Slices(self.clock, lambda: None)
        self.batch = StoreBatch(self.clock, self.store, self.slices)

    def turn(self, times: int = 5) -> None:
        self.clock.pump([0] * times)

    def services(self) -> list[KubeObject]:
        return list(self.store.view().services.values())

    def test_together(self) -> None:
        """All that was put in one turn is one change, in which the last word counts."""
        first, last = service("web"), service("web")
        self.batch.put(first)
        self.batch.put(service("other"))
        self.batch.delete(("Service", "default", "other"))
        self.batch.put(last)
        self.assertEqual(self.services(), [])
        self.turn()
        self.assertEqual(self.store.generation, 1)
        (found,) = self.services()
        self.assertIs(found, last)

    def test_while_applying(self) -> None:
        """Changes that come during another one are part of the next."""
        for number in range(2000):
            self.batch.put(service(f"s{number}"))
        self.turn(1)
        self.batch.put(service("web"))
        self.turn()
        self.assertEqual(self.store.generation, 2)
        self.assertEqual(len(self.services()), 2001)

    def test_applied(self) -> None:
        """A waiting call comes when the store has everything that was put before, not later."""
        told: list[int] = []
        self.batch.when_applied(lambda: told.append(0))
        self.assertEqual(told, [0])
        self.batch.put(service("web"))
        self.batch.when_applied(lambda: told.append(len(self.services())))
        self.turn()
        self.assertEqual(told, [0, 1])
        self.turn()
        self.assertEqual(told, [0, 1])

    def test_stopped(self) -> None:
        """Once it has stopped nothing changes."""
        self.batch.put(service("web"))
        self.batch.stop()
        self.turn()
        self.assertEqual(self.services(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_given_up(self) -> None:
        """A change that is given up halfway leaves the store as it was, without a word."""
        for number in range(2000):
            self.batch.put(service(f"s{number}"))
        self.turn(1)
        self.slices.is_running = False
        self.batch.stop()
        self.turn()
        self.assertEqual(self.services(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_fault(self) -> None:
        """A change that fails is logged, and later changes are made."""
        self.store.subscribe(lambda: 1 / (self.store.generation - 1))  # type: ignore[arg-type]
        self.batch.put(service("web"))
        self.turn()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.batch.put(service("other"))
        self.turn()
        self.assertEqual(len(self.services()), 2)
