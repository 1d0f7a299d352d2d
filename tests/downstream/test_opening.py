"""
Tests for `ingress.downstream.opening`.
"""

from __future__ import annotations

import select
import socket
import struct
from collections import Counter
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, cast

from twisted.internet.protocol import Factory, Protocol
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Listen, ListenerKind, PublicPorts
from ingress.deadline import Deadlines
from ingress.downstream.accepting_port import AcceptingPort
from ingress.downstream.bound_socket import bind
from ingress.downstream.clients import Clients
from ingress.downstream.opening import (
    HELLO_LATE,
    LATE,
    MALFORMED,
    PAUSE,
    TELL_INTERVAL,
    UNTRUSTED,
    ListenerOpener,
    Opening,
)
from ingress.downstream.passthrough import PassedConnections
from ingress.listen_address import ListenAddress, TCPAddress, UNIXPath
from ingress.proxy_protocol import MAX_LENGTH, SIGNATURE, Version, addresses_of, make_header
from ingress.transports.socket_transport import SocketTransport
from tests.support.hand_reactor import HandReactor
from tests.support.hello import openssl_hello

LOOPBACK = TCPAddress(0, "127.0.0.1")
CLIENT = "203.0.113.7"
FOUR = addresses_of(CLIENT, 51234, "192.0.2.1", 80)
V1 = make_header(Version.V1, FOUR)
V2 = make_header(Version.V2, FOUR)
CONFIG = Config(
    listen=Listen(proxy_protocol=frozenset({ListenerKind.HTTP})),
    trusted_proxies=(ip_network("127.0.0.0/8"),),
)


class Keeping(Protocol):
    """Keeps what comes after the header."""

    def __init__(self) -> None:
        self.data = b""

    def dataReceived(self, data: bytes) -> None:
        self.data += data


class KeepingFactory(Factory):
    noisy = False

    def __init__(self) -> None:
        self.addresses: list[Any] = []
        self.protocols: list[Keeping] = []

    def buildProtocol(self, addr: Any) -> Keeping:
        self.addresses.append(addr)
        self.protocols.append(Keeping())
        return self.protocols[-1]


class OpeningTestCase(SynchronousTestCase):
    """A port whose connections begin with a header, and a reactor that the test turns."""

    def setUp(self) -> None:
        self.reactor = HandReactor()
        self.deadlines = Deadlines(self.reactor)
        self.deadlines.start()
        self.addCleanup(self.deadlines.stop)
        self.clients = Clients()
        self.factory = KeepingFactory()
        self.opener = self.opener_of(ListenerKind.HTTP)

    def opener_of(self, kind: ListenerKind) -> ListenerOpener:
        return ListenerOpener(
            self.reactor,
            self.clients,
            self.deadlines,
            f"listen.{kind}",
            lambda config: config.has_proxy_protocol(kind),
        )

    def start(self, config: Config = CONFIG, address: ListenAddress = LOOPBACK) -> None:
        (self.bound,) = bind(address)
        self.port = AcceptingPort(
            self.reactor,
            self.bound,
            self.factory,
            SocketTransport,
            self.clients.connection_limit,
        )
        self.assertTrue(self.opener.apply(config))
        self.port.opener = self.opener
        self.port.startListening()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        for each in self.reactor.removeAll():
            if isinstance(each, Opening):
                each.cut()
            elif each is not self.port:
                each.abortConnection()
        self.port.stopListening()
        self.reactor.advance(0)

    def connect(self, data: bytes = b"") -> socket.socket:
        client = socket.socket(self.bound.socket.family)
        self.addCleanup(client.close)
        client.connect(self.bound.socket.getsockname())
        client.sendall(data)
        return client

    def turn(self) -> None:
        self.reactor.turn(10)

    def client_of(self, data: bytes) -> str:
        """Send a header and a request; return the address of the client that came of it."""
        self.connect(data + b"GET")
        self.turn()
        self.assertEqual([each.data for each in self.factory.protocols][-1:], [b"GET"])
        host: str = self.factory.addresses[-1].host
        return host

    def is_closed(self, client: socket.socket) -> bool:
        """Whether the proxy has closed its end, and no protocol was made."""
        self.turn()
        client.settimeout(5)
        try:
            is_closed = client.recv(1) == b""
        except ConnectionResetError:
            is_closed = True
        return is_closed and not self.factory.protocols

    @property
    def refused(self) -> Counter[str]:
        return self.clients.refused_openings

    def assert_nothing_left(self) -> None:
        self.assertEqual(len(self.clients.connections), 0)
        self.assertEqual(self.reactor.readers, {self.port})


class HeaderTests(OpeningTestCase):
    """Headers are taken off connections, which then are those of the clients they name."""

    def test_versions(self) -> None:
        """Both versions name the client; what follows reaches its protocol, and nothing else."""
        self.start()
        self.assertEqual(self.client_of(V1), CLIENT)
        self.assertEqual(self.client_of(V2), CLIENT)
        six = addresses_of("2001:db8::7", 1, "2001:db8::1", 2)
        self.assertEqual(self.client_of(make_header(Version.V2, six)), "2001:db8::7")

    def test_longest(self) -> None:
        """A header of 4 KiB with what follows is taken exactly."""
        self.start()
        content = V2[16:].ljust(MAX_LENGTH - 16, b"\0")
        header = SIGNATURE + struct.pack("!BBH", 0x21, 0x11, len(content)) + content
        self.assertEqual(self.client_of(header), CLIENT)

    def test_local(self) -> None:
        """A proxy that speaks for itself is the client."""
        self.start()
        for version in Version:
            self.assertEqual(self.client_of(make_header(version, None)), "127.0.0.1")

    def test_byte_by_byte(self) -> None:
        """A header may come in as many pieces as it has bytes, each of which is read once."""
        self.start()
        for header in (V1, V2):
            client = self.connect()
            for index in range(len(header)):
                client.sendall(header[index : index + 1])
                self.turn()
                (reader,) = self.reactor.readers - {self.port}
                # Nothing is left that would wake the reactor again.
                self.assertEqual(select.select([reader], [], [], 0)[0], [])
            client.sendall(b"GET")
            self.turn()
            self.assertEqual(self.factory.protocols.pop().data, b"GET")
            self.assertEqual(self.factory.addresses.pop().host, CLIENT)
            client.close()
            self.turn()

    def test_silence(self) -> None:
        """A connection counts while its header is to come, and its end is no fault."""
        self.start()
        client = self.connect()
        self.turn()
        self.assertEqual(self.clients.connections.activities(), {"reading": 1})
        self.assertEqual(self.clients.connection_limit.count, 1)
        client.close()
        self.turn()
        self.assert_nothing_left()
        self.assertEqual(self.clients.connection_limit.count, 0)
        self.assertFalse(self.refused)

    def test_tls_ended(self) -> None:
        """A client that came to the proxy's port for https is one over TLS."""
        self.start(replace(CONFIG, public_ports=PublicPorts(https=8443)))
        for port, is_secure in ((8443, True), (443, False), (8080, False)):
            self.client_of(make_header(Version.V2, addresses_of(CLIENT, 1, "192.0.2.1", port)))
            self.assertEqual(self.factory.addresses[-1].is_secure, is_secure)

    def test_unix(self) -> None:
        """Whoever may connect to a UNIX socket may send a header there."""
        path = Path(self.mktemp())
        self.start(address=UNIXPath(path, 0o600, has_lock=False))
        self.connect(V1[:5])
        self.turn()
        self.assertEqual(self.clients.connections.activities(), {"reading": 1})


class RefusalTests(OpeningTestCase):
    """Connections that begin otherwise are closed, counted and told."""

    def test_untrusted(self) -> None:
        """Nobody but a trusted proxy may send a header, or anything else."""
        self.start(replace(CONFIG, trusted_proxies=(ip_network("192.0.2.1"),)))
        for data in (V1, V2, b"GET / HTTP/1.1\r\n\r\n", b""):
            self.assertTrue(self.is_closed(self.connect(data)))
        self.assertEqual(self.refused, {UNTRUSTED: 4})
        self.assert_nothing_left()

    def test_malformed(self) -> None:
        """A proxy that sends something else is cut off, whatever that is."""
        self.start()
        bad = (
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00",
            b"PROXY TCP4 1.1.1.1\r\n",
            b"PROXY UNKNOWN " + b"x" * 200,
            SIGNATURE + b"\x21\x11\xff\xff" + V2[16:],
            SIGNATURE + b"\x21\x11\x00\x0b" + V2[16:],
            SIGNATURE + b"\x11\x11\x00\x0c" + V2[16:],
        )
        for data in bad:
            self.assertTrue(self.is_closed(self.connect(data)), data)
        self.assertEqual(self.refused, {MALFORMED: len(bad)})
        self.assert_nothing_left()

    def test_ended_within(self) -> None:
        """A header that ends before it is whole is malformed."""
        self.start()
        client = self.connect(V1[:20])
        self.turn()
        client.shutdown(socket.SHUT_WR)
        self.assertTrue(self.is_closed(client))
        self.assertEqual(self.refused, {MALFORMED: 1})

    def test_late(self) -> None:
        """A header has to be whole in time, however busily it comes."""
        self.start()
        silent, slow = self.connect(), self.connect(V2[:3])
        self.turn()
        self.reactor.pump([1.0] * 3)
        slow.sendall(V2[3:9])
        self.turn()
        self.assertEqual(len(self.clients.connections), 2)
        self.reactor.pump([1.0] * 3)
        for client in (silent, slow):
            self.assertTrue(self.is_closed(client))
        self.assertEqual(self.refused, {LATE: 2})
        self.assert_nothing_left()

    def test_told_once(self) -> None:
        """The log has a line for each reason now and then, with who it was."""
        self.start()
        with capturedLogs() as events:
            for _ in range(3):
                self.is_closed(self.connect(b"G"))
            self.reactor.advance(TELL_INTERVAL)
            self.is_closed(self.connect(b"G"))
        self.assertEqual(len(events), 2)
        self.assertIn("listen.http: a connection from 127.0.0.1 was closed", formatEvent(events[0]))

    def test_draining(self) -> None:
        """Connections that have sent no header do not hold up the end of the process."""
        self.start()
        client = self.connect(V1[:9])
        self.turn()
        self.assertTrue(self.clients.connections.drain().called or self.is_closed(client))
        self.assert_nothing_left()


class ApplyTests(OpeningTestCase):
    def test_listeners(self) -> None:
        """A listener begins with headers if it says so; the ConfigMap decides for both."""
        https = self.opener_of(ListenerKind.HTTPS)
        self.assertEqual((self.opener.apply(CONFIG), https.apply(CONFIG)), (True, False))
        for is_on in (True, False):
            settings = replace(CONFIG.nginx.proxy_protocol, is_on=is_on)
            config = replace(CONFIG, nginx=replace(CONFIG.nginx, proxy_protocol=settings))
            self.assertEqual((self.opener.apply(config), https.apply(config)), (is_on, is_on))

    def test_mapped(self) -> None:
        """A mapped IPv4 address is the one that it maps."""
        self.start()
        mapped = addresses_of("::ffff:203.0.113.7", 1, "2001:db8::1", 2)
        assert mapped is not None
        self.assertEqual(mapped.source, ip_address("::ffff:203.0.113.7"))
        found = self.client_of(make_header(Version.V2, mapped))
        self.assertEqual(ip_address(found), mapped.source)


class Passing:
    """`PassedConnections` for one host, which remembers what it was given."""

    has_hosts = True

    def __init__(self) -> None:
        self.begun: list[tuple[socket.socket, Any]] = []

    def find(self, server_name: bytes | None) -> object:
        return self if server_name == b"passed.example" else None

    def begin(
        self, port: object, accepted: socket.socket, address: object, named: Any, found: object
    ) -> None:
        self.begun.append((accepted, named))


class HelloTests(OpeningTestCase):
    """The ClientHello is looked at, and left to whoever comes next."""

    def setUp(self) -> None:
        super().setUp()
        self.passing = Passing()
        self.opener = ListenerOpener(
            self.reactor,
            self.clients,
            self.deadlines,
            "listen.https",
            lambda config: bool(config.listen.proxy_protocol),
            cast(PassedConnections, self.passing),
        )
        self.addCleanup(self.close_all)

    def close_all(self) -> None:
        for accepted, _ in self.passing.begun:
            accepted.close()

    def test_passed(self) -> None:
        """A connection is given away with every byte of its ClientHello."""
        self.start(Config())
        data = openssl_hello(b"passed.example")
        self.connect(data)
        self.turn()
        ((accepted, named),) = self.passing.begun
        self.assertEqual((accepted.recv(65536), named), (data, None))
        self.assertEqual(accepted.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT), 1)

    def test_others(self) -> None:
        """Other names, none, and other protocols go to the port's own protocol."""
        self.start(Config())
        for data in (openssl_hello(b"a.example"), openssl_hello(None), b"GET / HTTP/1.1\r\n\r\n"):
            self.connect(data)
            self.turn()
            self.assertEqual(self.factory.protocols.pop().data, data)
        self.assertEqual(self.passing.begun, [])

    def test_pieces(self) -> None:
        """The reactor is woken for whole records alone, and the name is found nevertheless."""
        self.start(Config())
        data = openssl_hello(b"passed.example")
        client = self.connect(data[:7])
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.turn()
        (reader,) = self.reactor.readers - {self.port}
        for index in range(7, len(data) - 1):
            client.sendall(data[index : index + 1])
            self.assertEqual(select.select([reader], [], [], 0)[0], [])
        client.sendall(data[-1:])
        self.reactor.turn_until(lambda: self.passing.begun)
        ((accepted, _),) = self.passing.begun
        self.assertEqual(accepted.recv(65536), data)
        self.assertEqual(accepted.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT), 1)

    def test_header_and_half_a_hello(self) -> None:
        """A header is taken, and half a ClientHello behind it waits for the rest."""
        self.start()
        data = openssl_hello(b"passed.example")
        client = self.connect(V1 + data[:50])
        self.turn()
        self.assertEqual(self.clients.connections.activities(), {"reading": 1})
        client.sendall(data[50:])
        self.turn()
        ((accepted, named),) = self.passing.begun
        self.assertEqual((accepted.recv(65536), named.host), (data, CLIENT))

    def test_ended(self) -> None:
        """A client that ends within its ClientHello is gone, without a loop until the deadline."""
        self.start(Config())
        client = self.connect(openssl_hello(b"passed.example")[:50])
        self.turn()
        client.shutdown(socket.SHUT_WR)
        self.assertTrue(self.is_closed(client))
        self.assert_nothing_left()
        self.assertFalse(self.refused)

    def test_late(self) -> None:
        """A ClientHello that is not whole in time is closed and counted."""
        self.start(Config())
        client = self.connect(openssl_hello(b"passed.example")[:50])
        self.turn()
        self.reactor.pump([1.0] * 11)
        self.assertTrue(self.is_closed(client))
        self.assertEqual(self.refused, {HELLO_LATE: 1})
        self.assert_nothing_left()

    def test_unix(self) -> None:
        """Where the system wakes us for every byte, the next look is a while later."""
        self.start(Config(), UNIXPath(Path(self.mktemp()), 0o600, has_lock=False))
        data = openssl_hello(b"passed.example")
        client = self.connect(data[:50])
        self.turn()
        self.assertEqual(self.reactor.readers, {self.port})
        client.sendall(data[50:])
        self.reactor.advance(PAUSE)
        self.turn()
        ((accepted, _),) = self.passing.begun
        self.assertEqual(accepted.recv(65536), data)

    def test_unix_ended(self) -> None:
        """A client of a UNIX socket that ends within its ClientHello is gone at the next look."""
        self.start(Config(), UNIXPath(Path(self.mktemp()), 0o600, has_lock=False))
        client = self.connect(openssl_hello(b"passed.example")[:50])
        self.turn()
        client.shutdown(socket.SHUT_WR)
        self.reactor.advance(PAUSE)
        self.turn()
        self.assert_nothing_left()

    def test_crowded(self) -> None:
        """Silent connections take no more places than there are."""
        self.clients.connection_limit.maximum = 4
        self.start(Config())
        for _ in range(12):
            self.connect()
            self.turn()
            self.assertLessEqual(self.clients.connection_limit.count, 4)
        self.assertGreater(self.clients.admission.refused, 0)
        self.assertEqual(len(self.reactor.readers), 1 + self.clients.connection_limit.count)

    def test_many_of_one_client(self) -> None:
        """A client has as many connections as it may have before it says anything, too."""
        limits = replace(Config().limits, connections_per_client=2)
        config = replace(Config(), limits=limits)
        self.clients.apply(config)
        self.start(config)
        for _ in range(5):
            self.connect()
            self.turn()
        self.assertEqual(self.clients.connection_limit.count, 2)
        self.assertEqual(self.clients.admission.refused, 3)

    def test_only_while_wanted(self) -> None:
        """Without a host that is passed through, nothing is looked at."""
        self.assertTrue(self.opener.apply(Config()))
        self.passing.has_hosts = False
        self.assertFalse(self.opener.apply(Config()))
