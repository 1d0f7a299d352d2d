"""
Tests for `ingress.downstream.listeners`.
"""

from __future__ import annotations

import resource
import socket
from pathlib import Path

from twisted.internet.protocol import Factory, Protocol
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Listen
from ingress.downstream.bound_socket import ListenError
from ingress.downstream.connection_limit import ConnectionLimit
from ingress.downstream.listeners import (
    bind_listeners,
    raise_descriptor_limit,
    room_for_connections,
)
from tests.support.hand_reactor import HandReactor

ANY = "tcp:0:interface=127.0.0.1"


class BindListenersTests(SynchronousTestCase):
    """The listeners of a configuration are bound together."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def refusal(self, listen: Listen) -> list[str]:
        error = self.assertRaises(ListenError, bind_listeners, listen, self.folder)
        return str(error).splitlines()

    def test_bound(self) -> None:
        """Each listener has the addresses of its key, one that is switched off has none."""
        listeners = bind_listeners(
            Listen(http=(ANY, "unix:socket"), https=(ANY,), admin=()), self.folder
        )
        self.addCleanup(listeners.stop)
        self.assertEqual(
            listeners.http.addresses,
            (f"127.0.0.1:{listeners.http.port}", str(self.folder / "socket")),
        )
        self.assertEqual(len(listeners.https.addresses), 1)
        self.assertEqual(
            listeners.tcp_addresses,
            (("127.0.0.1", listeners.http.port), ("127.0.0.1", listeners.https.port)),
        )
        self.assertEqual(listeners.admin.addresses, ())
        self.assertIsNone(listeners.admin.port)

    def test_every_failure(self) -> None:
        """Each address that cannot be bound gets a line, and no other stays bound."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            lines = self.refusal(
                Listen(
                    http=(f"tcp:{port}:interface=127.0.0.1",),
                    https=("tcp:0:interface=192.0.2.1",),
                    admin=("unix:socket",),
                )
            )
        self.assertEqual(
            lines,
            [
                f"listen.http: tcp:{port}:interface=127.0.0.1: Address already in use",
                "listen.https: tcp:0:interface=192.0.2.1: Cannot assign requested address",
            ],
        )
        self.assertFalse((self.folder / "socket").exists())

    def test_same_address(self) -> None:
        """The same port for two listeners is found before anything listens."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        lines = self.refusal(
            Listen(http=(f"tcp:{port}",), https=(f"tcp:{port}:interface=127.0.0.1",), admin=())
        )
        self.assertEqual(
            lines, [f"listen.https: tcp:{port}:interface=127.0.0.1: listen.http is there too"]
        )


class TwinsTests(SynchronousTestCase):
    """The listeners of workers."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.listeners = bind_listeners(
            Listen(http=(ANY, "unix:socket"), https=(ANY,), admin=(ANY,)), self.folder
        )
        self.addCleanup(self.listeners.stop)

    def test_addresses(self) -> None:
        """Each worker has the addresses of http and https, and no admin listener."""
        twins = self.listeners.twins(2)
        self.assertEqual(len(twins), 2)
        for twin in twins:
            self.addCleanup(twin.stop)
            self.assertEqual(twin.http.addresses, self.listeners.http.addresses)
            self.assertEqual(twin.https.addresses, self.listeners.https.addresses)
            self.assertEqual(twin.admin.addresses, ())
            self.assertEqual(len(twin.descriptors()), 3)

    def test_taken(self) -> None:
        """An address on which another process listens by then gets a line, and nothing stays bound."""
        with socket.socket() as faster:
            faster.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            address = addresses(self.listeners.https.addresses)[0]
            faster.bind(address)
            faster.listen()
            error = self.assertRaises(ListenError, self.listeners.twins, 2)
            self.assertEqual(
                str(error), f"listen.https: 127.0.0.1:{address[1]}: Address already in use"
            )
        self.assertFalse((self.folder / "socket").exists())

    def test_log(self) -> None:
        """The log has one line for all twins of an address."""
        reactor = HandReactor()
        (twin,) = self.listeners.twins(1)
        self.listeners.http.claim()
        factory = Factory.forProtocol(Protocol)
        factory.noisy = False
        with capturedLogs() as events:
            twin.http.start(reactor, factory, ConnectionLimit(10))
            twin.stop()
            reactor.advance(0)
        self.assertEqual(events, [])
        with capturedLogs() as events:
            self.listeners.http.log_addresses()
        self.assertEqual(
            [formatEvent(event) for event in events],
            [f"listen.http on {address}" for address in self.listeners.http.addresses],
        )


class ListenerTests(SynchronousTestCase):
    """A bound listener serves from start to stop."""

    def setUp(self) -> None:
        self.reactor = HandReactor()
        listeners = bind_listeners(Listen(http=(ANY, ANY), https=(), admin=()), Path())
        self.listener = listeners.http
        self.addCleanup(self.stop)

    def stop(self) -> None:
        self.listener.stop()
        self.reactor.advance(0)

    def start(self) -> None:
        factory = Factory.forProtocol(Protocol)
        factory.noisy = False
        self.listener.start(self.reactor, factory, ConnectionLimit(10))

    def connect(self) -> None:
        for address in addresses(self.listener.addresses):
            with socket.create_connection(address):
                pass

    def test_start(self) -> None:
        """Every address refuses connections before the start and takes them after it."""
        self.assertRaises(ConnectionRefusedError, self.connect)
        self.start()
        self.connect()

    def test_stop(self) -> None:
        """After the stop every address refuses connections again."""
        self.start()
        known = addresses(self.listener.addresses)
        stopped = self.listener.stop()
        self.reactor.advance(0)
        self.assertIsNone(self.successResultOf(stopped))
        for address in known:
            self.assertRaises(ConnectionRefusedError, socket.create_connection, address)

    def test_stop_unstarted(self) -> None:
        """A listener that never started is closed as well."""
        self.assertIsNone(self.successResultOf(self.listener.stop()))
        self.assertEqual(self.listener.addresses, ())

    def test_slower(self) -> None:
        """A bound socket on which another process listens is an error of one line."""
        address = addresses(self.listener.addresses)[0]
        with socket.socket() as faster:
            faster.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            faster.bind(address)
            faster.listen()
            error = self.assertRaises(ListenError, self.start)
        self.assertEqual(str(error), f"listen.http: 127.0.0.1:{address[1]}: Address already in use")


def addresses(shown: tuple[str, ...]) -> list[tuple[str, int]]:
    return [(host, int(port)) for host, _, port in (one.rpartition(":") for one in shown)]


class DescriptorTests(SynchronousTestCase):
    """The limit of connections follows from the descriptors."""

    def test_raise(self) -> None:
        """The soft limit is raised to the hard one and returned."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        raised = raise_descriptor_limit()
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (raised, hard))
        self.assertGreaterEqual(raised, soft)

    def test_room(self) -> None:
        """Each connection is allowed two descriptors; there is always room for some."""
        self.assertEqual(room_for_connections(1024), 384)
        self.assertEqual(room_for_connections(64), 16)
