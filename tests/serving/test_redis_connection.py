"""Tests of a connection to the store of limits, in bytes."""

from __future__ import annotations

from typing import Any

import hiredis
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ingress.config.limit_store import LimitStore
from ingress.serving.redis_connection import MOST_UNREAD, RedisConnection


class RedisConnectionTests(SynchronousTestCase):
    def connect(self, store: LimitStore) -> RedisConnection:
        self.ended: list[bool] = []
        connection = RedisConnection(store, lambda: self.ended.append(True))
        self.transport: Any = StringTransportWithDisconnection()
        self.transport.protocol = connection
        connection.makeConnection(self.transport)
        return connection

    def test_order(self) -> None:
        """Commands do not wait for replies, which are taken in order, however they are cut."""
        for size in (1, 2, 5, 100):
            connection = self.connect(LimitStore("redis"))
            replies = [connection.send("GET", b"a\r\n", number) for number in range(3)]
            self.assertEqual(
                self.transport.value()[:33], b"*3\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n$1\r\n0\r\n*3\r\n"
            )
            data = b"$1\r\nx\r\n*2\r\n:1\r\n:2\r\n-ERR no\r\n"
            for start in range(0, len(data), size):
                connection.dataReceived(data[start : start + size])
            self.assertEqual(self.successResultOf(replies[0]), b"x")
            self.assertEqual(self.successResultOf(replies[1]), [1, 2])
            self.failureResultOf(replies[2], hiredis.ReplyError)

    def test_greeting(self) -> None:
        """It sends the credentials, and the database, and each only where there is one."""
        ready = self.connect(LimitStore("redis")).greet()
        self.assertEqual(self.transport.value(), b"*1\r\n$4\r\nPING\r\n")
        self.transport.protocol.dataReceived(b"+PONG\r\n")
        self.assertIsNone(self.successResultOf(ready))
        store = LimitStore("redis", database=7, user="u", password="secret")
        connection = self.connect(store)
        ready = connection.greet()
        self.assertIn(b"AUTH\r\n$1\r\nu\r\n$6\r\nsecret\r\n", self.transport.value())
        connection.dataReceived(b"+OK\r\n")
        self.assertIn(b"SELECT\r\n$1\r\n7\r\n", self.transport.value())
        self.assertNotIn("secret", f"{connection!r} {store!r} {store}")
        connection.dataReceived(b"+OK\r\n")
        self.assertNoResult(ready)
        connection.dataReceived(b"+PONG\r\n")
        self.assertIsNone(self.successResultOf(ready))

    def test_refused(self) -> None:
        """Wrong credentials fail, and the reason has none of them."""
        ready = self.connect(LimitStore("redis", password="secret")).greet()
        self.transport.protocol.dataReceived(b"-WRONGPASS invalid\r\n")
        self.assertEqual(str(self.failureResultOf(ready).value), "WRONGPASS invalid")

    def test_lost(self) -> None:
        """What is in flight fails with the connection, and so does what comes later."""
        connection = self.connect(LimitStore("redis"))
        reply, cancelled = connection.send("PING"), connection.send("PING")
        cancelled.addErrback(lambda failure: None)
        cancelled.cancel()
        connection.connectionLost(Failure(ConnectionDone()))
        connection.connected = 0
        self.failureResultOf(reply, ConnectionDone)
        self.failureResultOf(connection.send("PING"), ConnectionDone)
        self.assertEqual(self.ended, [True])

    def test_cancelled(self) -> None:
        """The reply to a command that nobody waits for any more is not that of the next one."""
        connection = self.connect(LimitStore("redis"))
        first, second = connection.send("GET", "a"), connection.send("GET", "b")
        first.addErrback(lambda failure: None)
        first.cancel()
        connection.dataReceived(b"+1\r\n+2\r\n")
        self.assertEqual(self.successResultOf(second), b"2")

    def test_nonsense(self) -> None:
        """What is not the protocol of Redis ends the connection."""
        connection = self.connect(LimitStore("redis"))
        reply = connection.send("PING")
        connection.dataReceived(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.assertTrue(self.transport.disconnecting or self.transport.disconnected)
        reply.addErrback(lambda failure: None)

    def test_endless(self) -> None:
        """A reply without end, or of a size that nobody asked for, ends the connection."""
        for head, more in (
            (b"$9999\r\n", b""),
            (b"$1048576\r\n", b""),
            (b"$", b"5368709120000000\r\n"),
            (b"*", b"4000000000\r\n"),
            (b"*2\r\n*99", b"999\r\n"),
            (b"%2147483647\r\n", b""),
            (b"+", b"x" * MOST_UNREAD),
            (b"-", b"x" * MOST_UNREAD),
            (b"*9999\r\n", b"$9000\r\n" + b"x" * MOST_UNREAD),
            (b":1\r\n:2\r\n", b""),
            (b":1\r\n$5\r\n", b""),
        ):
            connection = self.connect(LimitStore("redis"))
            connection.send("PING").addErrback(lambda failure: None)
            for data in (head, more):
                for start in range(0, len(data), 1000):
                    if not self.transport.disconnected:
                        connection.dataReceived(data[start : start + 1000])
            has_more = head == b"$9999\r\n"
            self.assertEqual(self.transport.disconnected, not has_more, (head, more[:9]))

    def test_unasked(self) -> None:
        """What comes without a command ends the connection."""
        connection = self.connect(LimitStore("redis"))
        connection.dataReceived(b"+")
        self.assertTrue(self.transport.disconnected)
