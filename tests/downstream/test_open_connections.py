"""Tests of `ingress.downstream.open_connections`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.downstream.open_connections import OpenConnections


class Connection:
    """A ClientConnection that closes when it is told to, if it is idle."""

    address = "192.0.2.1"
    activity = "waiting"

    def __init__(self, all_of_them: OpenConnections, *, is_idle: bool) -> None:
        self._all = all_of_them
        self._is_idle = is_idle
        self._all.add(self)

    def in_flight(self) -> tuple[()]:
        """Nothing."""
        return ()

    def close_if_idle(self) -> None:
        if self._is_idle:
            self._all.discard(self)

    def cut(self) -> None:
        self._all.discard(self)


class OpenConnectionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.connections = OpenConnections()

    def test_none(self) -> None:
        """A drain without connections is over at once."""
        self.successResultOf(self.connections.drain())

    def test_idle(self) -> None:
        """A drain closes idle connections."""
        Connection(self.connections, is_idle=True)
        Connection(self.connections, is_idle=True)
        self.assertEqual(repr(self.connections), "<OpenConnections: 2>")
        self.successResultOf(self.connections.drain())
        self.assertEqual(len(self.connections), 0)

    def test_busy(self) -> None:
        """A drain is over when the last connection has closed, for all who wait for it."""
        one = Connection(self.connections, is_idle=False)
        other = Connection(self.connections, is_idle=False)
        waiting = [self.connections.drain(), self.connections.drain()]
        self.connections.discard(one)
        for drained in waiting:
            self.assertNoResult(drained)
        self.connections.discard(other)
        for drained in waiting:
            self.successResultOf(drained)

    def test_count(self) -> None:
        """The connections of a client are counted, however often they are added or discarded."""
        one = Connection(self.connections, is_idle=False)
        Connection(self.connections, is_idle=False)
        self.connections.add(one)
        self.assertEqual(self.connections.count("192.0.2.1"), 2)
        self.connections.discard(one)
        self.connections.discard(one)
        self.assertEqual(self.connections.count("192.0.2.1"), 1)
        self.assertEqual(self.connections.count("192.0.2.2"), 0)

    def test_activities(self) -> None:
        """Connections are counted by their activity."""
        for _ in range(2):
            Connection(self.connections, is_idle=True)
        Connection(self.connections, is_idle=False).activity = "writing"
        self.assertEqual(self.connections.activities(), {"waiting": 2, "writing": 1})

    def test_cut(self) -> None:
        """A cut closes all connections."""
        Connection(self.connections, is_idle=False)
        drained = self.connections.drain()
        self.connections.cut()
        self.successResultOf(drained)

    def test_forgotten(self) -> None:
        """A connection that gives way is not counted any more, but a drain waits for its end."""
        one = Connection(self.connections, is_idle=False)
        other = Connection(self.connections, is_idle=False)
        self.connections.forget(one)
        self.connections.forget(one)
        self.assertEqual(self.connections.count("192.0.2.1"), 1)
        self.assertEqual(list(self.connections), [other])
        self.assertNotIn(one, self.connections)
        drained = self.connections.drain()
        self.connections.discard(other)
        self.assertNoResult(drained)
        self.connections.discard(one)
        self.successResultOf(drained)
        self.assertEqual(self.connections.count("192.0.2.1"), 0)
