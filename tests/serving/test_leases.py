"""Tests of the leases of requests in progress."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.limiter import SharedBound
from ingress.serving.leases import (
    MOST_AT_ONCE,
    MOST_OWED,
    MOST_UNTOLD,
    RENEWALS,
    STEP,
    HeldPlace,
    Leases,
)

LEASE = 15.0
ZONE = SharedBound("default/web", 4)
ALL = SharedBound("", 9)


class FakeServer:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.replies_owed: int | None = 0
        self.told: list[tuple[object, ...]] = []
        self.renewed: list[tuple[object, ...]] = []

    def owed(self) -> int | None:
        """Server."""
        return self.replies_owed

    def tell(self, *command: object) -> Deferred[Any]:
        """Server."""
        if self.replies_owed is None:
            return fail(ConnectionDone())
        self.told.append(command)
        return Deferred()

    def renew(self, *arguments: object) -> None:
        """Server."""
        self.renewed.append(arguments)


class LeasesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.server = Clock(), FakeServer()
        self.leases = Leases(self.clock, self.server, b"me", LEASE)

    def hold(self, client: bytes = b"192.0.2.1", *bounds: SharedBound) -> HeldPlace:
        return self.leases.hold(client, bounds or (ZONE,))

    def test_keys(self) -> None:
        """There is a set for each bound and client; members differ."""
        first, second = self.hold(b"192.0.2.1", ALL, ZONE), self.hold()
        self.assertEqual(
            first.keys,
            (b"txingress:held::{192.0.2.1}", b"txingress:held:default/web:{192.0.2.1}"),
        )
        self.assertEqual((first.member, second.member), (b"me:0", b"me:1"))
        first.release()
        self.assertEqual(self.server.told, [(b"ZREM", key, b"me:0") for key in first.keys])

    def test_renewed(self) -> None:
        """What lasts is renewed, one command for each set; what is over is not."""
        key = self.hold().keys[0]
        self.clock.advance(1)
        self.hold()
        self.hold().release()
        self.clock.advance(LEASE / RENEWALS - 1)
        self.assertEqual(self.server.renewed, [(key, 15000, b"me:0")])
        self.clock.advance(1)
        self.assertEqual(self.server.renewed[1:], [(key, 15000, b"me:1")])
        self.clock.advance(LEASE / RENEWALS)
        self.assertEqual(self.server.renewed[2:], [(key, 15000, b"me:0", b"me:1")])

    def test_idle(self) -> None:
        """Without requests in progress there is no timer."""
        place = self.hold()
        place.release()
        self.clock.advance(LEASE)
        self.assertEqual((self.server.renewed, self.clock.getDelayedCalls()), ([], []))
        self.hold()
        self.clock.advance(LEASE / RENEWALS)
        self.assertEqual(len(self.server.renewed), 1)

    def test_lost(self) -> None:
        """While the server is gone nothing is sent; then it is told all, but nothing outdated."""
        lasting, old, late = self.hold(), self.hold(), self.hold()
        self.server.replies_owed = None
        old.release()
        self.clock.advance(LEASE)
        late.release()
        self.assertEqual((self.server.told, self.server.renewed), ([], []))
        self.server.replies_owed = 0
        self.leases.connected()
        self.assertEqual(self.server.told, [(b"ZREM", late.keys[0], late.member)])
        self.assertEqual(self.server.renewed, [(lasting.keys[0], 15000, lasting.member)])

    def test_untold_bounded(self) -> None:
        """What is remembered for a server that is gone is bounded."""
        self.server.replies_owed = None
        for _ in range(MOST_UNTOLD + 10):
            self.hold().release()
        self.server.replies_owed = 0
        self.leases.connected()
        self.assertEqual(len(self.server.told), MOST_UNTOLD)

    def test_many(self) -> None:
        """Many are renewed in turns, each in time."""
        for number in range(3 * MOST_AT_ONCE):
            self.hold(b"client-%d" % number)
        for turn in range(1, 4):
            self.clock.advance(LEASE / RENEWALS if turn == 1 else STEP)
            self.assertEqual(len(self.server.renewed), turn * MOST_AT_ONCE)

    def test_slow(self) -> None:
        """A server that owes replies gets no further renewals until it has caught up."""
        self.hold()
        self.server.replies_owed = MOST_OWED + 1
        self.clock.advance(LEASE / RENEWALS)
        self.assertEqual(self.server.renewed, [])
        self.server.replies_owed = 0
        self.clock.advance(STEP)
        self.assertEqual(len(self.server.renewed), 1)

    def test_stopped(self) -> None:
        """After the end nothing is renewed or told."""
        place = self.hold()
        self.leases.stop()
        place.release()
        self.clock.advance(LEASE)
        self.assertEqual((self.server.told, self.server.renewed), ([], []))
        self.assertEqual(self.clock.getDelayedCalls(), [])
