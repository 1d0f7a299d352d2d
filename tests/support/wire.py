"""
Clients, the data plane and endpoints, wired up in memory.

A test speaks bytes at both ends::

    wire = Wire()
    client = wire.connect()
    client.send(b"GET / HTTP/1.1\\r\\nHost: a.example\\r\\n\\r\\n")
    endpoint = wire.accept()
    endpoint.read()                      # the request as the proxy sent it
    endpoint.send(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
    client.read()                        # the answer as the proxy sent it
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from socket import socket
from typing import Any, cast

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectBindError, ConnectionRefusedError, TimeoutError
from twisted.internet.interfaces import IConnector
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import ClientFactory, Factory
from twisted.python.failure import Failure
from zope.interface import implementer

from ingress.config import Config, Limits
from ingress.deadline import SWEEP_INTERVAL, Deadlines
from ingress.downstream.http1_factory import HTTP1Factory
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.routing.resource import ReverseProxyResource
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot, VirtualHost
from ingress.serving.data_plane import DataPlane
from ingress.transports.socket_transport import READ_SIZE, SocketTransport
from ingress.upstream.registry import EndpointRegistry
from tests.support.memory_socket import CAPACITY, MemoryNetwork, MemorySocket, connected_sockets

LIMITS = Limits()
"""The limits of a configuration without ``limits``."""

ENDPOINT = Endpoint("10.1.0.1", 8080)
OTHER_ENDPOINT = Endpoint("10.1.0.2", 8080)
UPSTREAM = UpstreamKey("default", "web", "80")

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED_OK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def request(method: bytes, *fields: bytes, target: bytes = b"/", version: bytes = b"1.1") -> bytes:
    """Encode a request's head."""
    lines = [method + b" " + target + b" HTTP/" + version, b"Host: a.example", *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def post(length: int, *fields: bytes) -> bytes:
    """Encode the head of a request with a body of this length."""
    return request(b"POST", b"Content-Length: %d" % length, *fields)


def response(status: int, *fields: bytes) -> bytes:
    """Encode a response's head."""
    return b"\r\n".join([b"HTTP/1.1 %d X" % status, *fields]) + b"\r\n\r\n"


_HEAD = response(200, b"Content-Length: 131030")
ONE_BUFFER_TOO_MUCH = _HEAD + b"x" * 131030
"""
A response that the proxy reads in two reads. With the Date that the proxy adds, it is
larger than the client's socket and a send buffer together.
"""

UPGRADE = request(
    b"GET",
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
"""A request for a WebSocket, and the response that accepts it."""


@dataclass
class Message:
    """A message as a far end received it, parsed leniently."""

    first_line: bytes
    fields: list[tuple[bytes, bytes]]
    rest: bytes

    @classmethod
    def parse(cls, data: bytes) -> Message:
        head, _, rest = data.partition(b"\r\n\r\n")
        first_line, *lines = head.split(b"\r\n")
        pairs = (line.split(b": ", 1) for line in lines)
        return cls(first_line, [(name, value) for name, value in pairs], rest)

    @property
    def status(self) -> int:
        return int(self.first_line.split(b" ")[1])

    def values(self, name: bytes) -> list[bytes]:
        """Return all values of this name, in any case."""
        return [value for key, value in self.fields if key.lower() == name.lower()]


def snapshot_of(
    *endpoints: Endpoint, config: Config | None = None, route: Route | None = None
) -> Snapshot:
    """Make a Snapshot with one rule for everything, to a Service with these endpoints."""
    route = route or Route(ingress=("default", "web"), upstream=UPSTREAM)
    return Snapshot(
        config=config or Config(),
        any_host=VirtualHost("", root=ReverseProxyResource(prefix=route)),
        upstreams={UPSTREAM: Upstream(UPSTREAM, endpoints)},
    )


class Peer:
    """The far end of one of the proxy's connections, controlled by a test."""

    def __init__(self, network: MemoryNetwork, sock: MemorySocket) -> None:
        self._network = network
        self._socket = sock
        self.connector: Dial | None = None
        """That of the proxy's side, if the proxy has connected."""

    def send(self, data: bytes) -> None:
        """Send all of the data; the proxy must accept it."""
        sent = self.send_some(data)
        if sent < len(data):
            raise AssertionError(f"the proxy took only {sent} of {len(data)} bytes")

    def send_bytewise(self, data: bytes) -> None:
        for index in range(len(data)):
            self.send(data[index : index + 1])

    def send_some(self, data: bytes) -> int:
        """:return: how many bytes were sent before the proxy stopped reading."""
        self._network.settle()
        sent = 0
        while sent < len(data):
            try:
                sent += self._socket.send(data[sent : sent + CAPACITY])
            except (BlockingIOError, BrokenPipeError):
                break
            self._network.settle()
        return sent

    def read(self) -> bytes:
        """Read everything that comes until nothing moves."""
        received: list[bytes] = []
        self._network.settle()
        while not (self._socket.is_reset or self._socket.is_closed):
            try:
                data = self._socket.recv(CAPACITY)
            except BlockingIOError:
                break
            if not data:
                break
            received.append(data)
            self._network.settle()
        return b"".join(received)

    def receive(self) -> Message:
        """Read the next message, which must be all that comes."""
        return Message.parse(self.read())

    def read_some(self, size: int) -> bytes:
        """Read at most `size` bytes of the received data."""
        self._network.settle()
        data = self._socket.recv(size)
        self._network.settle()
        return data

    def end(self) -> None:
        """Stop sending, but continue to read."""
        self._socket.shutdown(1)
        self._network.settle()

    def close(self) -> None:
        self._socket.close()
        self._network.settle()

    def send_untold(self, data: bytes) -> None:
        """Send, without letting the proxy's reactor notice it yet."""
        self._socket.send(data)

    def close_untold(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        self._socket.peer._reset()
        self._socket.close()
        self._network.settle()

    @property
    def saw_end(self) -> bool:
        """Whether the proxy has ended its side in an orderly way."""
        self._network.settle()
        return self._socket.has_ended and not self._socket.is_reset

    @property
    def saw_reset(self) -> bool:
        self._network.settle()
        return self._socket.is_reset

    @property
    def is_open(self) -> bool:
        """Whether neither side has ended the connection."""
        return not (self._socket.is_closed or self.saw_end or self.saw_reset)


@implementer(IConnector)
class Dial:
    """A connection that the proxy wants to make."""

    def __init__(
        self, wire: Wire, host: str, port: int, factory: ClientFactory, timeout: float
    ) -> None:
        self.endpoint = Endpoint(host, port)
        self.timeout = timeout
        self.preface: bytes = getattr(factory, "preface", b"")
        """What the endpoint gets before everything else."""

        self.is_cancelled = False
        self._wire = wire
        self._factory = factory

    def accept(self) -> Peer:
        peer, _ = self._wire.join(self._factory)
        # The connector and its factory live as long as the connection.
        peer.connector = self
        return peer

    def refuse(self) -> None:
        self._fail(ConnectionRefusedError())

    def time_out(self) -> None:
        self._fail(TimeoutError())

    def lack(self) -> None:
        """No descriptor is left for the connection."""
        self._fail(ConnectBindError(errno.EMFILE, "Too many open files"))

    def _fail(self, error: Exception) -> None:
        self._factory.clientConnectionFailed(self, Failure(error))
        self._wire.network.settle()

    def disconnect(self) -> None:
        """IConnector: the proxy no longer wants the connection."""
        self.is_cancelled = True
        if self in self._wire.dials:
            self._wire.dials.remove(self)

    stopConnecting = disconnect

    def connect(self) -> None:
        """IConnector: never called."""

    def getDestination(self) -> IPv4Address:
        """IConnector."""
        return IPv4Address("TCP", self.endpoint.host, self.endpoint.port)


class MemoryTransport(SocketTransport):
    """The transport of either side; a socket in memory knows itself whether it has input."""

    def has_input(self) -> bool:
        return cast(MemorySocket, self.socket).is_readable

    def doRead(self) -> Any:
        return memory_read(self)

    def _send(self, data: Any, start: int) -> int:
        return memory_send(self.socket, data, start)


def memory_read(transport: SocketTransport) -> Any:
    """As `SocketTransport` reads."""
    try:
        data = transport.socket.recv(READ_SIZE)
    except BlockingIOError:
        return None
    except OSError:
        return CONNECTION_LOST
    if not data:
        return CONNECTION_DONE
    transport.protocol.dataReceived(data)
    return None


def memory_send(sock: MemorySocket, data: Any, start: int) -> int:
    """As `SocketTransport` sends."""
    try:
        return sock.send(data[start:])
    except BlockingIOError:
        return 0
    except OSError:
        return -1


class Wire:
    """
    :param endpoints: the endpoints of the Service that every request goes to.
    :param capacity: the bytes that a connection holds in each direction.
    """

    def __init__(
        self,
        *endpoints: Endpoint,
        config: Config | None = None,
        route: Route | None = None,
        capacity: int = CAPACITY,
        is_secure: bool = False,
    ) -> None:
        self.network = MemoryNetwork()
        self.dials: list[Dial] = []
        """The attempts that are neither accepted nor refused yet, the oldest first."""

        self.deadlines = Deadlines(self.network)
        self.deadlines.start()
        self.registry = EndpointRegistry(
            self._dial, lambda endpoint, tls: self._dial, self.deadlines
        )
        self.plane = DataPlane(
            self.registry,
            self.deadlines,
            Random(0),
            wall_clock=self.network.seconds,
            process=1,
        )
        self.plane.publish(snapshot_of(*(endpoints or (ENDPOINT,)), config=config, route=route))
        self.factory = HTTP1Factory(self.plane.clients, self.plane.exchanges, is_secure=is_secure)
        self.transport: type[SocketTransport] = MemoryTransport
        """The class of the proxy's transports on both sides."""

        self._capacity = capacity

    def _dial(self, host: str, port: int, factory: ClientFactory, timeout: float) -> Dial:
        dial = Dial(self, host, port, factory, timeout)
        self.dials.append(dial)
        return dial

    def connect(self, address: IPv4Address | IPv6Address | UNIXAddress | None = None) -> Peer:
        """Connect a new client."""
        peer, _ = self.join(self.factory, address or IPv4Address("TCP", "192.0.2.1", 50000))
        return peer

    def accept(self) -> Peer:
        """Accept the oldest connection attempt as the endpoint."""
        self.network.settle()
        return self.dials.pop(0).accept()

    def next_dial(self) -> Dial:
        self.network.settle()
        return self.dials.pop(0)

    def advance(self, seconds: float) -> None:
        """Let time pass, one sweep at a time."""
        self.network.settle()
        for _ in range(int(seconds / SWEEP_INTERVAL)):
            self.network.advance(SWEEP_INTERVAL)
            self.network.settle()

    def join(
        self, factory: Factory, address: IPv4Address | IPv6Address | UNIXAddress | None = None
    ) -> tuple[Peer, SocketTransport]:
        """Connect a protocol of `factory` to a new Peer."""
        protocol = factory.buildProtocol(address)
        assert protocol is not None, "nobody wants this connection"
        ours, theirs = connected_sockets(self._capacity)
        transport = self.transport(cast(socket, ours), self.network, address)
        transport.start(protocol)
        self.network.settle()
        return Peer(self.network, theirs), transport


def feed_three_ways(
    feed: Callable[[Sequence[bytes]], object], data: bytes, trailing: bytes = b"TRAILING"
) -> list[object]:
    """
    Return a parser's results for `data` whole, byte by byte, and with more data after it.

    :param feed: makes a new parser, feeds it these pieces in turn and returns the
        result in a form that can be compared.
    """
    return [
        feed([data]),
        feed([data[index : index + 1] for index in range(len(data))]),
        feed([data + trailing]),
    ]
