"""Tests of `ingress.relay.udp_sessions` and of `udp_session`, with sockets in memory."""

from __future__ import annotations

import errno
import socket
from dataclasses import replace
from typing import Any, cast

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.port_service import UDP, PortKey, PortService, PortSource
from ingress.relay.udp_session import Ancillary
from ingress.relay.udp_sessions import ENDED_AT_ONCE, UDPSessions, socket_address
from ingress.routing.snapshot import Snapshot
from ingress.telemetry.relay_outcome import RelayOutcome
from ingress.transports.socket_descriptor import DONE
from ingress.upstream.health import MAX_FAILURES
from tests.support.relays import RelayWire

DNS = UpstreamKey("default", "dns", "53", is_udp=True)
PORT = PortKey(UDP, 53)
ONE, OTHER = Endpoint("10.1.0.1", 5353), Endpoint("10.1.0.2", 5353)


class FakeSocket:
    """A socket of a session."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.sent: list[bytes] = []
        self.replies: list[bytes | OSError] = []
        self.is_closed = False
        self.error: OSError | None = None

    def send(self, data: memoryview) -> int:
        if self.error is not None:
            raise self.error
        self.sent.append(bytes(data))
        return len(data)

    def recv_into(self, buffer: memoryview) -> int:
        if not self.replies:
            raise BlockingIOError
        reply = self.replies.pop(0)
        if isinstance(reply, OSError):
            raise reply
        buffer[: len(reply)] = reply
        return len(reply)

    def fileno(self) -> int:
        return -1 if self.is_closed else 7

    def close(self) -> None:
        self.is_closed = True


class FakePort:
    """The socket that clients send to."""

    key = PORT

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Any, Ancillary]] = []

    def send_to(self, data: memoryview, address: Any, ancillary: Ancillary) -> None:
        self.sent.append((bytes(data), address, ancillary))


class Readers:
    """The part of a reactor that sessions use."""

    def __init__(self) -> None:
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        if reader in self.readers:
            self.readers.remove(reader)


class SessionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = RelayWire()
        self.resources = self.wire.resources
        self.sockets: list[FakeSocket] = []
        self.error: OSError | None = None
        self.reactor = Readers()
        self.sessions = UDPSessions(self.reactor, self.resources, self.connect)
        self.port = FakePort()
        self.publish(ONE)

    def connect(self, address: tuple[str, int]) -> socket.socket:
        if self.error is not None:
            raise self.error
        self.sockets.append(FakeSocket(address))
        return cast(socket.socket, self.sockets[-1])

    def publish(self, *endpoints: Endpoint, lingering: tuple[Endpoint, ...] = ()) -> None:
        service = PortService(PORT, DNS, PortSource())
        upstream = Upstream(DNS, endpoints, lingering)
        config = self.wire.plane.exchanges.snapshot.config  # type: ignore[union-attr]
        snapshot = Snapshot(config=config, upstreams={DNS: upstream}, ports={PORT: service})
        self.resources.publish(snapshot)
        self.sessions.published()

    def send(self, data: bytes, address: Any = ("192.0.2.1", 4000), local: Ancillary = ()) -> None:
        self.sessions.received(self.port, DNS, address, local, memoryview(data))

    def reply(self, index: int, data: bytes | OSError) -> None:
        sock = self.sockets[index]
        sock.replies.append(data)
        for reader in tuple(self.reactor.readers):
            if reader._socket is sock:
                reader.doRead()

    @property
    def outcomes(self) -> list[RelayOutcome]:
        return [record.outcome for record in self.wire.records]

    def test_session(self) -> None:
        """Datagrams go to one endpoint, and its replies come from where they were sent to."""
        local = ((0, 8, b"address"),)
        self.send(b"question", local=local)
        self.send(b"", local=local)
        (sock,) = self.sockets
        self.assertEqual((sock.address, sock.sent), (("10.1.0.1", 5353), [b"question", b""]))
        self.reply(0, b"answer")
        self.assertEqual(self.port.sent, [(b"answer", ("192.0.2.1", 4000), local)])
        self.assertEqual(repr(self.sessions), "<UDPSessions: 1>")
        self.assertEqual(self.resources.in_flight, {ONE: 1})

    def test_apart(self) -> None:
        """Another port of the client, or another address of ours, is another session."""
        self.send(b"a")
        self.send(b"b", ("192.0.2.1", 4001))
        self.send(b"c", local=((0, 8, b"other"),))
        self.assertEqual([sock.sent for sock in self.sockets], [[b"a"], [b"b"], [b"c"]])

    def test_turns(self) -> None:
        """Sessions take turns among the endpoints."""
        self.publish(ONE, OTHER)
        for port in range(4):
            self.send(b"x", ("192.0.2.1", port))
        self.assertEqual([sock.address[0] for sock in self.sockets], ["10.1.0.1", "10.1.0.2"] * 2)

    def test_idle(self) -> None:
        """A session without a datagram in either direction ends, with a line for the log."""
        self.send(b"question")
        self.wire.advance(self.resources.limits.udp_idle_timeout - 2)
        self.reply(0, b"answer")
        self.wire.advance(self.resources.limits.udp_idle_timeout - 2)
        self.assertEqual(len(self.sessions), 1)
        self.wire.advance(4)
        self.assertEqual(len(self.sessions), 0)
        (record,) = self.wire.records
        self.assertEqual((record.protocol, record.port), ("UDP", 53))
        self.assertEqual((record.received, record.sent), (8, 6))
        self.assertEqual((record.outcome, record.endpoint), (RelayOutcome.OK, ONE))
        self.assertTrue(self.sockets[0].is_closed)
        self.assertEqual((self.reactor.readers, self.resources.in_flight), ([], {}))

    def test_refused(self) -> None:
        """If nothing listens there, the session ends, and the next datagram asks another one."""
        self.publish(ONE, OTHER)
        self.send(b"question")
        self.reply(0, ConnectionRefusedError())
        self.assertEqual(self.outcomes, [RelayOutcome.DIAL_FAILED])
        self.send(b"question")
        self.assertEqual(self.sockets[1].address[0], "10.1.0.2")
        self.sockets[1].error = ConnectionRefusedError()
        self.send(b"question")
        self.assertEqual(len(self.sessions), 0)

    def test_ejection(self) -> None:
        """An endpoint that keeps refusing is left out, and one that answers serves again."""
        self.publish(ONE, OTHER)
        for port in range(2 * MAX_FAILURES):
            self.send(b"x", ("192.0.2.1", port))
            if self.sockets[-1].address[0] == "10.1.0.1":
                self.reply(-1, ConnectionRefusedError())
        health = self.resources.balancer.health
        self.assertEqual({key[1] for key in health.ejected}, {ONE})
        self.wire.advance(3)
        for port in range(2):
            self.send(b"x", ("192.0.2.9", port))
            self.reply(-1, b"ok")
        self.assertEqual(set(health.ejected), set())

    def test_unreachable(self) -> None:
        """An endpoint that cannot be reached is passed over; without any the datagram is dropped."""
        self.error = OSError(errno.ENETUNREACH, "unreachable")
        self.send(b"x")
        self.assertEqual(self.resources.udp, {"no_endpoint": 1})
        self.publish()
        self.send(b"x")
        self.assertEqual(self.resources.udp, {"no_endpoint": 2})
        self.assertEqual(len(self.sessions), 0)

    def test_no_descriptors(self) -> None:
        """A lack of descriptors is no fault of the endpoint."""
        self.error = OSError(errno.EMFILE, "too many")
        for _ in range(MAX_FAILURES + 1):
            self.send(b"x")
        self.assertEqual(self.resources.udp, {"no_socket": MAX_FAILURES + 1})
        self.assertEqual(set(self.resources.balancer.health.ejected), set())

    def test_full_buffer(self) -> None:
        """What the system does not take is dropped, and the session goes on."""
        self.send(b"x")
        self.sockets[0].error = BlockingIOError(errno.EAGAIN, "full")
        self.send(b"y")
        self.assertEqual(len(self.sessions), 1)

    def test_errors_of_the_network(self) -> None:
        """The reactor reports them as an end; the next read tells what they are."""
        self.send(b"x")
        (session,) = self.reactor.readers
        for error, left in ((OSError(errno.EMSGSIZE, "large"), 1), (ConnectionRefusedError(), 0)):
            self.sockets[0].replies.append(error)
            self.reactor.removeReader(session)
            session.connectionLost(DONE)
            self.assertEqual((len(self.sessions), len(self.reactor.readers)), (left, left))
        self.assertEqual(self.outcomes, [RelayOutcome.DIAL_FAILED])

    def test_fault(self) -> None:
        """A session that the reactor gives up for a fault of ours is over."""
        self.send(b"x")
        self.reactor.readers[0].connectionLost(Failure(ValueError()))
        self.assertEqual(self.outcomes, [RelayOutcome.CUT])

    def test_refused_by_system(self) -> None:
        """A datagram that is too large, or meets a lack of memory, is no fault of the endpoint."""
        self.send(b"x")
        for number in (errno.EMSGSIZE, errno.ENOBUFS, errno.EPERM):
            self.sockets[0].error = OSError(number, "not sent")
            for _ in range(MAX_FAILURES):
                self.send(b"y")
        self.assertEqual(len(self.sessions), 1)
        self.assertEqual(set(self.resources.balancer.health.ejected), set())
        self.assertEqual(self.resources.udp, {"unsent": 3 * MAX_FAILURES})

    # Changes.

    def test_endpoint_gone(self) -> None:
        """Sessions of an endpoint that is gone end; those of one that leaves go on."""
        self.send(b"x")
        self.publish(OTHER, lingering=(ONE,))
        self.assertEqual(len(self.sessions), 1)
        self.publish(OTHER)
        self.assertEqual(self.outcomes, [RelayOutcome.OK])
        self.send(b"x")
        self.assertEqual(self.sockets[1].address[0], "10.1.0.2")

    def test_many_gone(self) -> None:
        """Very many sessions do not all end in the same turn."""
        count = 3 * ENDED_AT_ONCE
        for number in range(count):
            self.send(b"x", (f"192.0.2.{number % 200}", number))
        self.publish(OTHER)
        self.assertEqual(len(self.sessions), count - ENDED_AT_ONCE)
        self.wire.network.settle()
        self.assertEqual(len(self.sessions), 0)

    def test_ended_between(self) -> None:
        """A session that ends before its turn takes nothing from the next one of its client."""
        for port in range(ENDED_AT_ONCE + 2):
            self.send(b"x", ("192.0.2.1", port))
        self.publish(OTHER)
        self.reply(0, ConnectionRefusedError())
        self.send(b"y", ("192.0.2.1", 0))
        self.wire.network.settle()
        self.assertEqual(len(self.sessions), 1)
        self.send(b"z", ("192.0.2.1", 0))
        self.assertEqual(self.sockets[-1].sent, [b"y", b"z"])
        self.assertEqual(self.resources.in_flight, {OTHER: 1})
        self.assertEqual(len(self.outcomes), ENDED_AT_ONCE + 2)

    def test_same(self) -> None:
        """A Snapshot with the same endpoints ends nothing, and is not looked at."""
        self.send(b"x")
        snapshot = self.resources.snapshot
        assert snapshot is not None
        self.resources.publish(replace(snapshot, generation=2))
        self.sessions.published()
        self.assertEqual(len(self.sessions), 1)

    def test_port_closed(self) -> None:
        """Sessions end with their port, and no others."""
        self.send(b"x")
        self.sessions.end_all([PortKey(UDP, 54)])
        self.assertEqual(len(self.sessions), 1)
        self.sessions.end_all([PORT])
        self.assertEqual(self.outcomes, [RelayOutcome.CUT])

    # Bounds.

    def test_flood(self) -> None:
        """A flood from everywhere takes no session of those who were answered and went on."""
        self.sessions.most = 10
        for port in range(5):
            self.send(b"q", ("192.0.2.1", port))
            self.reply(port, b"a")
            self.send(b"q", ("192.0.2.1", port))
        for number in range(1000):
            self.send(b"flood", (f"198.51.{number // 250}.{number % 250}", 1))
        self.assertEqual(len(self.sessions), 10)
        self.assertFalse(any(sock.is_closed for sock in self.sockets[:5]))
        self.assertEqual(self.resources.udp["gave_way"], 995)
        for sock in self.sockets[5:-5]:
            self.assertTrue(sock.is_closed)

    def test_full(self) -> None:
        """If all sessions are in use, new ones are refused."""
        self.sessions.most = 1
        self.send(b"q")
        self.reply(0, b"a")
        self.send(b"q")
        self.send(b"q", ("192.0.2.2", 1))
        self.assertEqual(self.resources.udp, {"full": 1})
        self.assertEqual(len(self.sockets), 1)

    def test_one_client(self) -> None:
        """A client beyond its bound loses its own oldest session, and nobody else's."""
        self.sessions.most_of_client = 3
        self.send(b"q", ("192.0.2.2", 1))
        for port in range(5):
            self.send(b"q", ("192.0.2.1", port))
        self.assertEqual(
            [sock.is_closed for sock in self.sockets], [False, True, True, False, False, False]
        )
        for index, port in ((3, 2), (4, 3), (5, 4)):
            self.reply(index, b"a")
            self.send(b"q", ("192.0.2.1", port))
        self.send(b"q", ("192.0.2.1", 9))
        self.assertEqual(self.resources.udp, {"gave_way": 2, "client_limit": 1})
        self.assertEqual(len(self.sessions), 4)

    def test_fit(self) -> None:
        """Workers share the bounds, and few descriptors are few sessions."""
        self.sessions.fit(1_000_000, 4)
        self.assertEqual((self.sessions.most, self.sessions.most_of_client), (4096, 256))
        self.sessions.fit(100, 1)
        self.assertEqual(self.sessions.most, 100)

    def test_configured_time(self) -> None:
        """limits.udp-idle-timeout is the time."""
        self.resources.limits = replace(self.resources.limits, udp_idle_timeout=2.0)
        self.send(b"x")
        self.wire.advance(4)
        self.assertEqual(len(self.sessions), 0)

    def test_names(self) -> None:
        """Of names only localhost has an address at once."""
        self.assertEqual(socket_address(Endpoint("localhost", 53)), ("127.0.0.1", 53))
        self.assertEqual(socket_address(Endpoint("::1", 53)), ("::1", 53))
        self.assertIsNone(socket_address(Endpoint("dns.example", 53)))
        self.publish(Endpoint("dns.example", 53), ONE)
        self.send(b"x")
        self.assertEqual(self.sockets[0].address[0], "10.1.0.1")
