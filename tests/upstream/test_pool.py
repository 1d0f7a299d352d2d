"""Tests of `ingress.upstream.pool`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Limits
from ingress.upstream.http1 import HTTP1Upstream
from ingress.upstream.pool import CONNECT_TIMEOUT, EndpointPool
from tests.support.wire import ENDPOINT, Wire


class User:
    """A PoolUser that remembers what it got."""

    def __init__(self) -> None:
        self.connection: HTTP1Upstream | None = None
        self.timed_out: bool | None = None

    def connected(self, connection: HTTP1Upstream) -> None:
        self.connection = connection

    def dial_failed(self, *, timed_out: bool) -> None:
        self.timed_out = timed_out


class EndpointPoolTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire(ENDPOINT)
        self.pool: EndpointPool = self.wire.registry.pool(ENDPOINT)
        self.user = User()

    def connection(self) -> HTTP1Upstream:
        user = User()
        self.pool.dial(user)
        self.peer = self.wire.accept()
        assert user.connection is not None
        return user.connection

    def test_dial(self) -> None:
        """A new connection is the user's alone."""
        self.pool.dial(self.user)
        self.assertEqual(self.wire.dials[0].endpoint, ENDPOINT)
        self.assertEqual(self.wire.dials[0].timeout, CONNECT_TIMEOUT)
        self.wire.accept()
        self.assertIsNotNone(self.user.connection)
        self.assertIsNone(self.pool.take_idle())

    def test_refused(self) -> None:
        """The user is told that there will be no connection, and why."""
        self.pool.dial(self.user)
        self.wire.next_dial().refuse()
        self.assertIs(self.user.timed_out, False)

    def test_timed_out(self) -> None:
        """The user is told where it took too long."""
        self.pool.dial(self.user)
        self.wire.next_dial().time_out()
        self.assertIs(self.user.timed_out, True)

    def test_cancelled(self) -> None:
        """Who no longer wants a connection is told nothing."""
        cancel = self.pool.dial(self.user)
        dial = self.wire.next_dial()
        cancel()
        self.assertTrue(dial.is_cancelled)
        dial.refuse()
        self.assertIsNone(self.user.timed_out)

    def test_last_used_first(self) -> None:
        """The connection that was used last is taken first."""
        one, other = self.connection(), self.connection()
        self.pool.release(one)
        self.pool.release(other)
        self.assertEqual(repr(self.pool), "<EndpointPool 10.1.0.1:8080 idle=2>")
        self.assertIs(self.pool.take_idle(), other)
        self.assertIs(self.pool.take_idle(), one)
        self.assertIsNone(self.pool.take_idle())

    def test_lost(self) -> None:
        """A connection that ended is not taken; one that was not idle is no trouble."""
        one, other = self.connection(), self.connection()
        self.pool.release(one)
        self.pool.lost(one)
        self.pool.lost(other)
        self.assertIsNone(self.pool.take_idle())

    def test_bounded(self) -> None:
        """So many idle connections are kept and no more."""
        for _ in range(Limits().idle_upstream_connections):
            self.pool.release(self.connection())
        last = self.connection()
        peer = self.peer
        self.pool.release(last)
        self.assertTrue(peer.saw_end)
        self.assertIsNot(self.pool.take_idle(), last)

    def test_connect_timeout(self) -> None:
        """Who dials says how long it may take."""
        self.pool.dial(self.user, 2.5)
        self.assertEqual(self.wire.dials[0].timeout, 2.5)

    def test_fewer(self) -> None:
        """Where fewer may be idle than are, those that were unused longest are closed."""
        connections, peers = [], []
        for _ in range(3):
            connections.append(self.connection())
            peers.append(self.peer)
        for connection in connections:
            self.pool.release(connection)
        self.wire.registry.apply(Limits(idle_upstream_connections=2))
        self.assertEqual([peer.saw_end for peer in peers], [True, False, False])
        self.wire.registry.apply(Limits(idle_upstream_connections=5))
        self.assertIs(self.pool.take_idle(), connections[2])
        self.assertIs(self.pool.take_idle(), connections[1])
        self.assertIsNone(self.pool.take_idle())

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
        self.assertIsNone(self.pool.take_idle())

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
        self.assertIsNone(self.pool.take_idle())
