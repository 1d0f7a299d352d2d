"""
Tests for `ingress.downstream.accepting_port`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from pathlib import Path
from typing import Any, cast

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ingress.config import Limits
from ingress.downstream.accepting_port import (
    ACCEPT_PAUSE,
    ACCEPTS_PER_EVENT,
    AcceptingPort,
    MakeTransport,
    maximum_backlog,
)
from ingress.downstream.bound_socket import BoundSocket, ListenError, bind
from ingress.downstream.connection_limit import TELL_INTERVAL, ConnectionLimit, YieldingLimit
from ingress.listen_address import ListenAddress, TCPAddress, UNIXPath
from ingress.transports.socket_transport import SocketTransport
from tests.support.hand_reactor import HandReactor


class Recording(Factory):
    """Keeps its protocols and the addresses that they were built for."""

    noisy = False

    def __init__(self) -> None:
        self.addresses: list[Any] = []
        self.protocols: list[Protocol] = []
        self.refuse: Exception | None = None
        self.make: type[Protocol] = Protocol

    def buildProtocol(self, addr: Any) -> Protocol:
        self.addresses.append(addr)
        if self.refuse is not None:
            raise self.refuse
        self.protocols.append(self.make())
        return self.protocols[-1]


class Unable(Protocol):
    """A protocol with a fault."""

    def connectionMade(self) -> None:
        raise RuntimeError("cannot begin")


class Unwilling:
    """A socket on which `accept` fails until there is no error left."""

    def __init__(self, bound: socket.socket, errors: list[int]) -> None:
        self._bound = bound
        self.errors = errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bound, name)

    def _accept(self) -> Any:
        if self.errors:
            number = self.errors.pop(0)
            raise OSError(number, os.strerror(number))
        return cast(Any, self._bound)._accept()


class PortTestCase(SynchronousTestCase):
    """A port on a real socket, with a reactor that the test turns."""

    address: ListenAddress = TCPAddress(0, "127.0.0.1")

    def setUp(self) -> None:
        self.reactor = HandReactor()
        self.factory = Recording()
        self.limit = ConnectionLimit(100)

    def start(self, address: ListenAddress, transport: MakeTransport = SocketTransport) -> None:
        (self.bound,) = bind(address)
        self.port = self.start_on(self.bound, transport)
        self.addCleanup(self.stop)

    def start_on(self, bound: BoundSocket, transport: MakeTransport) -> AcceptingPort:
        port = AcceptingPort(self.reactor, bound, self.factory, transport, self.limit)
        port.startListening()
        return port

    def stop(self) -> None:
        for transport in self.reactor.removeAll():
            if transport is not self.port:
                transport.connectionLost(Failure(ConnectionLost()))
        if self.port.connected:
            self.port.stopListening()
            self.reactor.advance(0)

    def connect(self) -> socket.socket:
        client = socket.socket(self.bound.socket.family)
        self.addCleanup(client.close)
        client.connect(self.bound.socket.getsockname())
        return client

    def accepted(self) -> int:
        # Which of two ports, or of a port and a connection, comes first is nobody's promise.
        self.reactor.turn(10)
        return len(self.factory.protocols)


class AcceptTests(PortTestCase):
    """Connections are accepted and handed to the factory."""

    def test_accept(self) -> None:
        """A connection gets a protocol for its address, and the transport asked for."""

        class Transport(SocketTransport):
            pass

        self.start(TCPAddress(0, "127.0.0.1"), Transport)
        client = self.connect()
        self.assertEqual(self.accepted(), 1)
        self.assertEqual(self.factory.addresses, [IPv4Address("TCP", *client.getsockname())])
        self.assertIsInstance(self.factory.protocols[0].transport, Transport)
        self.assertEqual(self.port.getHost(), IPv4Address("TCP", *client.getpeername()))

    def test_no_delay(self) -> None:
        """Accepted connections send small segments at once."""
        self.start(TCPAddress(0, "127.0.0.1"))
        self.connect()
        self.accepted()
        transport: Any = self.factory.protocols[0].transport
        self.assertTrue(transport.getTcpNoDelay())

    def test_ipv6(self) -> None:
        """IPv6 clients have an IPv6 address."""
        try:
            self.start(TCPAddress(0, "::1"))
        except ListenError:
            raise SkipTest("this machine has no IPv6") from None
        client = self.connect()
        self.assertEqual(self.accepted(), 1)
        self.assertEqual(self.factory.addresses, [IPv6Address("TCP", *client.getsockname())])

    def test_unix(self) -> None:
        """Clients of a UNIX socket have no address; the socket is removed with the port."""
        path = Path(self.mktemp())
        self.start(UNIXPath(path))
        self.connect()
        self.assertEqual(self.accepted(), 1)
        self.assertEqual(self.factory.addresses, [UNIXAddress(None)])
        self.assertEqual(self.port.getHost(), UNIXAddress(os.fsencode(path)))
        with capturedLogs() as events:
            self.port.stopListening()
            self.reactor.advance(0)
        self.assertFalse(path.exists())
        told = [formatEvent(event) for event in events]
        self.assertEqual(told, [f"Stopped listening on {self.bound.address}"])

    def test_some_at_once(self) -> None:
        """Only a few connections are accepted in one turn, more of them while more are waiting."""
        self.start(TCPAddress(0, "127.0.0.1"))
        for _ in range(3 * ACCEPTS_PER_EVENT):
            self.connect()
        counts = []
        for _ in range(7):
            before = len(self.factory.protocols)
            self.port.doRead()
            counts.append(len(self.factory.protocols) - before)
        self.assertEqual(counts, [1, 2, 4, 8, ACCEPTS_PER_EVENT, ACCEPTS_PER_EVENT, 1])

    def test_stop(self) -> None:
        """A port that is stopped accepts no more; what it accepted stays open."""
        self.start(TCPAddress(0, "127.0.0.1"))
        client = self.connect()
        self.accepted()
        stopped = self.port.stopListening()
        self.reactor.advance(0)
        self.assertIsNone(self.successResultOf(stopped))
        with socket.socket() as late:
            self.assertRaises(ConnectionRefusedError, late.connect, client.getpeername())
        transport: Any = self.factory.protocols[0].transport
        transport.write(b"still here")
        self.reactor.turn()
        self.assertEqual(client.recv(100), b"still here")

    def test_backlog(self) -> None:
        """The queue is as long as the system allows, which is longer than Twisted's."""
        self.assertGreater(maximum_backlog(), tcp.Port.backlog)


class LimitTests(PortTestCase):
    """The number of open connections is bounded."""

    def setUp(self) -> None:
        super().setUp()
        self.limit = ConnectionLimit(2)
        self.start(TCPAddress(0, "127.0.0.1"))

    def test_waits(self) -> None:
        """A connection beyond the limit waits, and is accepted when another closes."""
        clients = [self.connect() for _ in range(4)]
        self.assertEqual(self.accepted(), 2)
        self.assertEqual(self.limit.count, 2)
        clients[0].close()
        self.assertEqual(self.accepted(), 3)
        clients[1].close()
        self.assertEqual(self.accepted(), 4)

    def test_yields(self) -> None:
        """The oldest connections are closed if new ones must not wait."""
        self.limit = YieldingLimit(3)
        self.start(TCPAddress(0, "127.0.0.1"))
        with capturedLogs() as events:
            clients = [self.connect() for _ in range(7)]
            self.assertEqual(self.accepted(), 7)
        self.assertEqual(self.limit.count, 2)
        for client in clients[:5]:
            self.assertRaises(ConnectionResetError, client.recv, 1)
        for client in clients[5:]:
            self.assertRaises(BlockingIOError, client.recv, 1, socket.MSG_DONTWAIT)
        self.assertEqual(
            [formatEvent(event) for event in events],
            ["All 3 connections are in use: the oldest ones are cut for new ones"],
        )

    def test_processes(self) -> None:
        """Each of several processes has its part of the configured limit, rounded up."""
        self.limit.fit(1000, processes=3)
        self.limit.apply(Limits(connections=100))
        self.assertEqual(self.limit.maximum, 34)
        self.limit.apply(Limits(connections=6000))
        self.assertEqual(self.limit.maximum, 1000)

    def test_shared(self) -> None:
        """Ports that share the limit share the room, and all of them resume."""
        (other,) = bind(TCPAddress(0, "127.0.0.1"))
        self.start_on(other, SocketTransport)
        clients = [self.connect() for _ in range(3)]
        late = socket.socket()
        self.addCleanup(late.close)
        late.connect(other.socket.getsockname())
        self.addCleanup(other.close)
        self.assertEqual(self.accepted(), 2)
        for client in clients:
            client.close()
        self.assertEqual(self.accepted(), 4)

    def test_told_rarely(self) -> None:
        """A lack of room is logged once a minute, however often clients cause it."""
        with capturedLogs() as events:
            for _ in range(5):
                clients = [self.connect() for _ in range(3)]
                self.accepted()
                for client in clients:
                    client.close()
                self.accepted()
            self.assertEqual(len(events), 1)
            self.reactor.advance(TELL_INTERVAL)
            for _ in range(3):
                self.connect()
            self.accepted()
        self.assertEqual(len(events), 2)

    def test_more_are_allowed(self) -> None:
        """A connection that waits is accepted when the configuration allows more."""
        for _ in range(3):
            self.connect()
        self.assertEqual(self.accepted(), 2)
        self.limit.apply(Limits(connections=3))
        self.assertEqual(self.accepted(), 3)

    def test_no_more_than_there_is_room_for(self) -> None:
        """The limit is that of the configuration, but no more than the system allows."""
        self.limit.fit(1)
        self.assertEqual(self.limit.maximum, 1)
        self.limit.apply(Limits(connections=10))
        self.assertEqual(self.limit.maximum, 1)
        self.limit.fit(100)
        self.limit.apply(Limits(connections=10))
        self.assertEqual(self.limit.maximum, 10)

    def test_stopped_while_waiting(self) -> None:
        """A port that was stopped while it waited does not accept again."""
        clients = [self.connect() for _ in range(3)]
        self.accepted()
        self.port.stopListening()
        self.reactor.advance(0)
        clients[0].close()
        self.assertEqual(self.accepted(), 2)
        self.assertNotIn(self.port, self.reactor.readers)


class FailureTests(PortTestCase):
    """Nothing that goes wrong with a connection ends the port."""

    def setUp(self) -> None:
        super().setUp()
        self.start(TCPAddress(0, "127.0.0.1"))

    def test_protocol_fails(self) -> None:
        """A connection whose protocol cannot begin is closed, and counts no more."""
        self.factory.make = Unable
        first = self.connect()
        self.accepted()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.limit.count, 0)
        self.assertEqual(self.reactor.readers, {self.port})
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(first.recv(1), b"")

    def test_factory_fails(self) -> None:
        """A connection whose protocol cannot be made is closed, and the next one is served."""
        self.factory.refuse = RuntimeError("no protocol today")
        first = self.connect()
        self.assertEqual(self.accepted(), 0)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(first.recv(1), b"")
        self.factory.refuse = None
        self.connect()
        self.assertEqual(self.accepted(), 1)

    def test_no_descriptors(self) -> None:
        """A port without descriptors waits a moment, and then serves the clients that waited."""
        for number in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            before = len(self.factory.protocols)
            self.port.socket = Unwilling(self.bound.socket, [number])
            self.connect()
            self.assertEqual(self.accepted(), before)
            self.assertNotIn(self.port, self.reactor.readers)
            self.reactor.advance(ACCEPT_PAUSE)
            self.assertEqual(self.accepted(), before + 1)

    def test_told_rarely(self) -> None:
        """A lack of descriptors is logged once a minute."""
        with capturedLogs() as events:
            for _ in range(5):
                self.port.socket = Unwilling(self.bound.socket, [errno.EMFILE])
                self.connect()
                self.accepted()
                self.reactor.advance(ACCEPT_PAUSE)
                self.accepted()
        self.assertEqual(len(events), 1)

    def test_connection_gone(self) -> None:
        """A connection that was reset before it was accepted does not affect others."""
        self.port.socket = Unwilling(self.bound.socket, [errno.ECONNABORTED, errno.EPERM])
        self.connect()
        self.assertEqual(self.accepted(), 1)

    def start_twin(self) -> BoundSocket:
        """Start a port on a twin; return the copy that the control plane has."""
        (bound,) = bind(self.address)
        twin = bound.twin()
        bound.claim()
        self.port = self.start_on(twin, SocketTransport)
        self.addCleanup(self.stop)
        self.bound = twin
        return twin

    def test_withdrawn(self) -> None:
        """A port whose socket was made to stop listening waits, and listens again when told."""
        for notices in ("accept", "hang-up"):
            twin = self.start_twin()
            with capturedLogs() as events:
                twin.withdraw()
                if notices == "accept":
                    self.port.doRead()
                else:
                    self.reactor.removeReader(self.port)
                    self.port.connectionLost(Failure(ConnectionLost()))
                self.port.resume()
            self.assertEqual(events, [])
            self.assertNotIn(self.port, self.reactor.readers)
            before = self.accepted()
            self.port.listen_again()
            self.connect()
            self.assertEqual(self.accepted(), before + 1, notices)
            self.stop()

    def test_listen_again_for_nothing(self) -> None:
        """A port that was not withdrawn goes on, and one that is stopped stays so."""
        self.start(self.address)
        self.port.listen_again()
        self.assertIn(self.port, self.reactor.readers)
        self.port.connectionLost(Failure(ConnectionLost()))
        self.stop()
        self.port.listen_again()
        self.assertNotIn(self.port, self.reactor.readers)

    def test_stopped_in_a_pause(self) -> None:
        """A port that is stopped while it pauses leaves nothing behind."""
        self.port.socket = Unwilling(self.bound.socket, [errno.EMFILE])
        self.connect()
        self.accepted()
        self.port.stopListening()
        self.reactor.advance(0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
