"""
Tests for `ingress.worker.channel`.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ingress.worker.channel import Channel, Queue, send_now
from ingress.worker.message import Kind, Message


class ChannelTests(SynchronousTestCase):
    """One end of the socket between two processes."""

    def setUp(self) -> None:
        self.received: list[Message] = []
        self.events: list[str] = []
        self.first, self.second = Queue(), Queue()
        self.channel = Channel(
            lambda kind, content: self.received.append((kind, content)),
            lambda: self.events.append("lost"),
            (self.first, self.second),
        )
        self.transport = StringTransport()

    def open(self) -> None:
        self.channel.makeConnection(self.transport)
        self.leave()

    def leave_once(self) -> None:
        """What was written leaves."""
        producer: Any = self.transport.producer
        producer.resumeProducing()

    def leave(self) -> None:
        """What is written leaves, again and again, until nothing is written for it."""
        size = -1
        while len(self.transport.value()) != size:
            size = len(self.transport.value())
            self.leave_once()

    def sent(self) -> list[Message]:
        """What the other end gets."""
        found: list[Message] = []
        other = Channel(lambda kind, content: found.append((kind, content)), lambda: None, ())
        other.makeConnection(StringTransport())
        other.dataReceived(self.transport.value())
        return found

    def test_round_trip(self) -> None:
        """What one end sends, the other one gets, however it is cut on its way."""
        self.first.put(Kind.DRAIN, 7.5)
        self.first.put(Kind.CUT)
        self.open()
        octets = self.transport.value()
        other = Channel(
            lambda kind, content: self.received.append((kind, content)), lambda: None, ()
        )
        other.makeConnection(StringTransport())
        for index in range(len(octets)):
            other.dataReceived(octets[index : index + 1])
        self.assertEqual(self.received, [(Kind.DRAIN, b"7.5"), (Kind.CUT, b"")])

    def test_order(self) -> None:
        """The first source goes before all others, and each keeps its order."""
        self.second.put(Kind.WELL)
        self.first.put(Kind.ACCEPT)
        self.first.put(Kind.CUT)
        self.open()
        self.assertEqual([kind for kind, _ in self.sent()], [Kind.ACCEPT, Kind.CUT, Kind.WELL])

    def test_one_at_a_time(self) -> None:
        """A message is asked for when the one before it has left."""
        for _ in range(3):
            self.first.put(Kind.CUT)
        self.channel.makeConnection(self.transport)
        self.leave_once()
        self.assertEqual(len(self.sent()), 1)
        self.channel.wake()
        self.assertEqual(len(self.sent()), 1)

    def test_wake(self) -> None:
        """Where nothing was left to send, `wake` sends what has come."""
        self.open()
        self.first.put(Kind.CUT)
        self.channel.wake()
        self.assertEqual(self.sent(), [(Kind.CUT, b"")])

    def test_wake_before(self) -> None:
        """Before the channel is open nothing can be sent, and nothing is lost."""
        self.first.put(Kind.CUT)
        self.channel.wake()
        self.open()
        self.assertEqual(self.sent(), [(Kind.CUT, b"")])

    def test_flush(self) -> None:
        """`flush` tells when all has left."""
        for _ in range(2):
            self.first.put(Kind.CUT)
        self.channel.makeConnection(self.transport)
        self.leave_once()
        self.channel.flush(lambda: self.events.append("flushed"))
        self.assertEqual(self.events, [])
        self.leave()
        self.assertEqual((len(self.sent()), self.events), (2, ["flushed"]))

    def test_flush_idle(self) -> None:
        """Where there is nothing to send, or nobody to send it to, that is at once."""
        self.open()
        self.channel.flush(lambda: self.events.append("flushed"))
        self.assertEqual(self.events, ["flushed"])
        self.first.put(Kind.CUT)
        self.channel.connectionLost(Failure(ConnectionDone()))
        self.channel.flush(lambda: self.events.append("flushed"))
        self.assertEqual(self.events, ["flushed", "lost", "flushed"])

    def test_close(self) -> None:
        """A closed channel says so to the other end, and sends nothing any more."""
        self.open()
        self.channel.close()
        self.assertTrue(self.transport.disconnecting)
        self.first.put(Kind.CUT)
        self.channel.wake()
        self.assertEqual(self.sent(), [])


class SendNowTests(SynchronousTestCase):
    """Sending without a reactor."""

    def setUp(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.theirs.close)

    def test_sent(self) -> None:
        """The other end gets it as if a channel had sent it."""
        queue = Queue()
        queue.put(Kind.LOG, "text")
        send_now(self.ours, queue)
        received: list[Message] = []
        other = Channel(lambda kind, content: received.append((kind, content)), lambda: None, ())
        other.makeConnection(StringTransport())
        other.dataReceived(self.theirs.recv(1000))
        self.assertEqual(received, [(Kind.LOG, b'"text"')])

    def test_nobody(self) -> None:
        """With nobody at the other end, or one that takes nothing, it is given up."""
        queue = Queue()
        queue.put(Kind.LOG, "x" * 10_000_000)
        send_now(self.ours, queue)
        self.theirs.close()
        queue.put(Kind.LOG, "text")
        send_now(self.ours, queue)
