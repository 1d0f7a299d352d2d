"""Tests of `ingress.upstream.pool`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Limits
from ingress.upstream.http1 import HTTP1Upstream
from ingress.upstream.pool import CONNECT_TIMEOUT, EndpointPool
from ingress.upstream.stream import PendingStream
from tests.support.streams import StreamUser, take_idle
from tests.support.wire import ENDPOINT, Wire


class EndpointPoolTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire(ENDPOINT)
        self.pool: EndpointPool = self.wire.registry.pool(ENDPOINT)
        self.user = StreamUser()

    def connection(self) -> HTTP1Upstream:
        user = StreamUser()
        self.pool.acquire(user, is_new=True)
        self.peer = self.wire.accept()
        assert user.connection is not None
        return user.connection

    def test_dial(self) -> None:
        """A new connection goes to the receiver that waits for it."""
        self.pool.acquire(self.user)
        self.assertEqual(self.wire.dials[0].endpoint, ENDPOINT)
        self.assertEqual(self.wire.dials[0].timeout, CONNECT_TIMEOUT)
        self.wire.accept()
        self.assertIsNotNone(self.user.connection)
        self.assertIsNone(take_idle(self.pool))

    def test_new(self) -> None:
        """A stream on a new connection is dialled even if one is idle."""
        self.pool.release(self.connection())
        self.assertIsInstance(self.pool.acquire(self.user, is_new=True), PendingStream)
        self.assertIsNotNone(take_idle(self.pool))

    def test_refused(self) -> None:
        """The receiver gets the reason why there is no connection."""
        self.pool.acquire(self.user)
        self.wire.next_dial().refuse()
        assert self.user.refusal is not None
        self.assertEqual(self.user.refusal.status, 502)
        self.assertIn("refused the connection", str(self.user.refusal))

    def test_timed_out(self) -> None:
        """The receiver gets a DialTimeout if the connection takes too long."""
        self.pool.acquire(self.user)
        self.wire.next_dial().time_out()
        assert self.user.refusal is not None
        self.assertEqual(self.user.refusal.status, 504)
        self.assertIn("in time", str(self.user.refusal))

    def test_cancelled(self) -> None:
        """A receiver that has cancelled its wait gets no call."""
        pending = self.pool.acquire(self.user)
        assert isinstance(pending, PendingStream)
        dial = self.wire.next_dial()
        pending.cancel()
        self.assertTrue(dial.is_cancelled)
        dial.refuse()
        self.assertIsNone(self.user.refusal)

    def test_last_used_first(self) -> None:
        """The connection that was used last is taken first."""
        one, other = self.connection(), self.connection()
        self.pool.release(one)
        self.pool.release(other)
        self.assertEqual(repr(self.pool), "<EndpointPool 10.1.0.1:8080 idle=2>")
        self.assertIs(take_idle(self.pool), other)
        self.assertIs(take_idle(self.pool), one)
        self.assertIsNone(take_idle(self.pool))

    def test_lost(self) -> None:
        """A connection that has ended is not taken; losing one that was not idle does no harm."""
        one, other = self.connection(), self.connection()
        self.pool.release(one)
        self.pool.lost(one)
        self.pool.lost(other)
        self.assertIsNone(take_idle(self.pool))

    def test_bounded(self) -> None:
        """Idle connections are kept up to the limit."""
        for _ in range(Limits().idle_upstream_connections):
            self.pool.release(self.connection())
        last = self.connection()
        peer = self.peer
        self.pool.release(last)
        self.assertTrue(peer.saw_end)
        self.assertIsNot(take_idle(self.pool), last)

    def test_connect_timeout(self) -> None:
        """The caller of `acquire` gives the time that a connection may take."""
        self.pool.acquire(self.user, 2.5)
        self.assertEqual(self.wire.dials[0].timeout, 2.5)

    def test_fewer(self) -> None:
        """The connections unused for longest are closed if the limit falls."""
        connections, peers = [], []
        for _ in range(3):
            connections.append(self.connection())
            peers.append(self.peer)
        for connection in connections:
            self.pool.release(connection)
        self.wire.registry.apply(Limits(idle_upstream_connections=2))
        self.assertEqual([peer.saw_end for peer in peers], [True, False, False])
        self.wire.registry.apply(Limits(idle_upstream_connections=5))
        self.assertIs(take_idle(self.pool), connections[2])
        self.assertIs(take_idle(self.pool), connections[1])
        self.assertIsNone(take_idle(self.pool))

    def test_served_enough(self) -> None:
        """A connection is closed behind its last request, by number or by age, once that is set."""
        for limits, served, seconds in (
            (Limits(upstream_connection_requests=2), 1, 0.0),
            (Limits(upstream_connection_age=60.0), 3, 20.0),
        ):
            self.setUp()
            first = self.connection()
            self.pool.release(first)
            self.assertIs(take_idle(self.pool), first)
            self.wire.registry.apply(limits)
            for _ in range(served - (seconds > 0)):
                self.wire.advance(seconds)
                self.pool.release(first)
                self.assertIs(take_idle(self.pool), first)
            self.wire.advance(seconds or 0.0)
            self.pool.release(first)
            self.assertIsNone(take_idle(self.pool))
            self.wire.registry.apply(Limits())
            second = self.connection()
            self.wire.advance(3600.0)
            self.pool.release(second)
            self.assertIs(take_idle(self.pool), second)

    def test_in_use(self) -> None:
        """A pool is in use while it has an idle connection, or a request in flight."""
        self.assertFalse(self.pool.is_in_use)
        self.pool.load.in_flight = 1
        self.assertTrue(self.pool.is_in_use)
        self.pool.load.in_flight = 0
        self.pool.release(self.connection())
        self.assertTrue(self.pool.is_in_use)

    def test_closed_by_endpoint(self) -> None:
        """An idle connection that the endpoint closes is not taken."""
        self.pool.release(self.connection())
        self.peer.close()
        self.assertIsNone(take_idle(self.pool))

    def test_retired(self) -> None:
        """The pool of an endpoint that is gone closes what is idle, and what is released later."""
        idle = self.connection()
        idle_peer = self.peer
        busy = self.connection()
        busy_peer = self.peer
        self.pool.release(idle)
        self.pool.retire()
        self.assertTrue(idle_peer.saw_end)
        self.assertTrue(busy_peer.is_open)
        self.pool.release(busy)
        self.assertTrue(busy_peer.saw_end)
        self.assertIsNone(take_idle(self.pool))
