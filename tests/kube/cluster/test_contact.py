"""
Tests for `ingress.kube.cluster.contact`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.kube.api.refusals import PASSING_REFUSAL
from ingress.kube.cluster.contact import MAX_FAILING, MAX_SILENCE, MAX_WATCH, Contact
from ingress.kube.cluster.liveness import Liveness
from ingress.kube.cluster.resource import SERVICES, Target

GONE = APIUnreachable("nobody there")
FORBIDDEN = APIError(403, "Forbidden", "no")


class ContactTests(SynchronousTestCase):
    """How it goes."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.told = 0
        self.liveness = Liveness()
        self.contact = Contact(Target(SERVICES), self.clock, self.tell, self.liveness)

    def tell(self) -> None:
        self.told += 1

    def test_staleness(self) -> None:
        """It counts from the last word over this connection, and from the begin before that."""
        self.clock.advance(3)
        self.assertEqual(self.contact.staleness, 3.0)
        self.contact.heard()
        self.clock.advance(2)
        self.assertEqual(self.contact.staleness, 2.0)

    def test_stale(self) -> None:
        """Unread objects are stale, and so are those after long failures or silence."""
        self.assertTrue(self.contact.is_stale)
        self.contact.heard()
        self.contact.listed()
        self.assertFalse(self.contact.is_stale)
        self.contact.failed(GONE)
        self.clock.advance(MAX_FAILING - 1)
        self.contact.failed(GONE)
        self.assertFalse(self.contact.is_stale)
        self.clock.advance(1)
        self.assertTrue(self.contact.is_stale)
        self.contact.heard()
        self.assertFalse(self.contact.is_stale)
        self.clock.advance(MAX_SILENCE + 1)
        self.assertTrue(self.contact.is_stale)

    def test_alive(self) -> None:
        """An open watch is up to date as long as the server is alive, but not without end."""
        self.contact.heard(by_watch=True)
        self.contact.listed()
        while self.clock.seconds() < 1000 + MAX_WATCH:
            self.clock.advance(10)
            self.liveness.heard(self.clock.seconds())
            self.assertEqual(self.contact.staleness, 0.0)
            self.assertFalse(self.contact.is_stale)
        self.clock.advance(1)
        self.assertTrue(self.contact.is_stale)

    def test_alive_without_watch(self) -> None:
        """A server that is alive says nothing about a watch that fails, or was never opened."""
        self.clock.advance(5)
        self.liveness.heard(self.clock.seconds())
        self.assertEqual(self.contact.staleness, 5.0)
        self.contact.heard()
        self.contact.listed()
        self.contact.failed(GONE)
        self.clock.advance(5)
        self.liveness.heard(self.clock.seconds())
        self.assertEqual(self.contact.staleness, 5.0)

    def test_polled(self) -> None:
        """An object that is polled is as old as the last read, and may be as old as its period."""
        contact = Contact(Target(SERVICES), self.clock, self.tell, self.liveness, period=60.0)
        contact.heard()
        contact.listed()
        self.clock.advance(60)
        self.liveness.heard(self.clock.seconds())
        self.assertEqual((contact.staleness, contact.is_stale), (60.0, False))
        self.clock.advance(MAX_SILENCE + 1)
        self.assertTrue(contact.is_stale)

    def test_fault(self) -> None:
        """The fault is its own, or that of a server that does not answer."""
        self.assertIsNone(self.contact.fault)
        self.liveness.failed(GONE)
        self.assertIs(self.contact.fault, GONE)
        self.contact.failed(FORBIDDEN)
        self.assertIs(self.contact.fault, FORBIDDEN)

    def test_told(self) -> None:
        """`changed` is called for each change of the state, and not for each word."""
        self.contact.heard()
        self.assertEqual(self.told, 0)
        self.contact.listed()
        self.contact.failed(GONE)
        self.contact.heard()
        self.contact.heard()
        self.assertEqual(self.told, 3)

    def test_relists(self) -> None:
        """The first list is no relist."""
        self.assertEqual(self.contact.relists, 0)
        for _ in range(3):
            self.contact.listed()
        self.assertEqual(self.contact.relists, 2)

    def test_forbidden_watch(self) -> None:
        """A list shows nothing about the right to watch."""
        self.contact.failed(FORBIDDEN, "watch")
        self.contact.heard()
        self.assertTrue(self.contact.is_forbidden)
        self.contact.heard(by_watch=True)
        self.assertFalse(self.contact.is_forbidden)

    def test_forbidden_list(self) -> None:
        """A list does, about the right to list."""
        self.contact.failed(FORBIDDEN)
        self.assertTrue(self.contact.is_forbidden)
        self.contact.heard()
        self.assertFalse(self.contact.is_forbidden)

    def test_passing_refusal(self) -> None:
        """A right is missing when refusals have lasted, whatever else failed before them."""
        self.contact.failed(GONE)
        self.clock.advance(60)
        self.contact.failed(FORBIDDEN)
        self.clock.advance(PASSING_REFUSAL - 1)
        self.contact.failed(FORBIDDEN)
        self.assertFalse(self.contact.lacks_right)
        self.clock.advance(1)
        self.assertFalse(self.contact.lacks_right)
        self.contact.failed(FORBIDDEN)
        self.assertTrue(self.contact.lacks_right)

    def test_refusal_ends(self) -> None:
        """Any other answer ends a row of refusals."""
        for end in (self.contact.heard, lambda: self.contact.failed(GONE)):
            self.contact.failed(FORBIDDEN)
            end()
            self.clock.advance(PASSING_REFUSAL)
            self.contact.failed(FORBIDDEN)
            self.assertFalse(self.contact.lacks_right)
