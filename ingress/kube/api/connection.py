"""
HTTP connections to the API server: pooled, kept alive, and closed without delay.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import replace
from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast

from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    ITransport,
)
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from ingress.kube.api.body import make_body_producer
from ingress.kube.api.credentials import ClientCertificate
from ingress.kube.api.fresh_files import FreshFiles
from ingress.kube.api.server import Server
from ingress.kube.api.tls import ClientTLS

CONNECT_TIMEOUT = 10.0
"""Seconds for the TCP handshake, for each address of the server's name."""

IDLE_TIMEOUT = 60
"""Seconds for which an idle connection is kept; the API server keeps it for 90."""

MAX_IDLE = 8
"""Idle connections that are kept; watches and other requests share them."""

KEEP_ALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""TCP notices a dead peer after 25 s; an idle watch may be silent for much longer."""

MAX_HEAD_SIZE = 256 * 1024
"""Bytes of an answer's head, which Twisted does not bound. The API server's has 500."""

_HEAD_END = re.compile(rb"\n\r?\n")

MakeEndpoint = Callable[[ClientCertificate | None, bytes | None], IStreamClientEndpoint]
"""
Makes the endpoint of the server from our certificate and the CA to trust; None for the CA that
was read at the start.
"""


def endpoint_maker(reactor: Any, server: Server) -> MakeEndpoint:
    """
    :return: a function that makes endpoints; it raises UnusableTLS if the certificate or the
        CA cannot be used.
    """

    def make(certificate: ClientCertificate | None, ca_pem: bytes | None) -> IStreamClientEndpoint:
        endpoint = HostnameEndpoint(reactor, server.host, server.port, timeout=CONNECT_TIMEOUT)
        if not server.is_tls:
            return cast("IStreamClientEndpoint", endpoint)
        known = server if ca_pem is None else replace(server, ca_pem=ca_pem)
        return wrapClientTLS(ClientTLS(known, certificate), endpoint)

    return make


class Connections:
    """
    The connections to one server.

    :param clock: for pooled connections.
    :param make_endpoint: makes the endpoint of the server.
    :param ca: the file of the CA, if it may be replaced.
    """

    def __init__(
        self, clock: Any, make_endpoint: MakeEndpoint, ca: FreshFiles | None = None
    ) -> None:
        self._clock = clock
        self._make_endpoint = make_endpoint
        self._ca = ca
        self._open: set[_Connection] = set()
        self._made_for: tuple[ClientCertificate | None, bytes | None] = (None, None)
        self._pool: HTTPConnectionPool | None = None
        self._client: HTTPClient | None = None

    def __repr__(self) -> str:
        return f"<Connections: {len(self._open)} open>"

    async def client(self, certificate: ClientCertificate | None) -> HTTPClient:
        """
        :param certificate: ours. If it or the CA has changed, earlier connections are not used
            any more.
        :raises UnreadableFile: if the CA cannot be read.
        :raises UnusableTLS: if the certificate or the CA cannot be used.
        """
        ca_pem = None if self._ca is None else (await self._ca.contents())[0]
        wanted = (certificate, ca_pem)
        if self._client is None or wanted != self._made_for:
            endpoint = self._make_endpoint(certificate, ca_pem)
            self.drop_idle()
            self._made_for = wanted
            self._pool = self._make_pool()
            factory = _OneEndpoint(_TrackingEndpoint(endpoint, self._open))
            agent = Agent.usingEndpointFactory(self._clock, factory, self._pool)
            # treq would keep cookies; no other client of an API server does.
            self._client = HTTPClient(
                _UncompressedAgent(agent),
                IndexableCookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
                make_body_producer,
            )
        return self._client

    def drop_idle(self) -> None:
        """Close idle connections."""
        if self._pool is not None:
            self._pool.closeCachedConnections()

    async def close(self) -> None:
        """Close all connections; returns when none is left."""
        self.drop_idle()
        while self._open:
            # Others may close while this one does.
            await next(iter(self._open)).abort()

    def _make_pool(self) -> HTTPConnectionPool:
        pool = HTTPConnectionPool(self._clock)
        pool.maxPersistentPerHost = MAX_IDLE
        pool.cachedConnectionTimeout = IDLE_TIMEOUT
        return pool


class _Connection(ProtocolWrapper):
    """
    A connection that closes at once, without waiting for the server, and bounds the heads of
    answers.

    Over TLS, Twisted's `loseConnection` waits for the server's close_notify without a limit. An
    HTTP client has nothing left to send when it closes.
    """

    def __init__(
        self,
        factory: WrappingFactory[_Connection],
        wrapped: IProtocol,
        all_open: set[_Connection],
    ) -> None:
        super().__init__(factory, wrapped)
        self._all_open = all_open
        self._waiting: list[Deferred[None]] = []
        self._head: bytearray | None = None
        """The received part of an answer's head; None if no head is awaited."""

    def makeConnection(self, transport: ITransport) -> None:
        """The connection is open (`IProtocol`)."""
        keep_alive(transport)
        self._all_open.add(self)
        super().makeConnection(transport)  # type: ignore[no-untyped-call]

    def write(self, data: bytes) -> None:
        """Write part of a request (`ITransport`)."""
        self._head = bytearray()
        super().write(data)  # type: ignore[no-untyped-call]

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write part of a request (`ITransport`)."""
        self.write(b"".join(data))

    def dataReceived(self, data: bytes) -> None:
        """Receive part of an answer (`IProtocol`)."""
        if self._head is not None:
            self._head += data
            if _HEAD_END.search(self._head, max(0, len(self._head) - len(data) - 2)):
                self._head = None
            elif len(self._head) > MAX_HEAD_SIZE:
                self.loseConnection()
                return
        super().dataReceived(data)  # type: ignore[no-untyped-call]

    def loseConnection(self) -> None:
        """Close the connection (`ITransport`)."""
        self.disconnecting = 1
        transport: Any = self.transport
        transport.abortConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """The connection is closed (`IProtocol`)."""
        self._all_open.discard(self)
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def abort(self) -> Deferred[None]:
        """Close the connection. :return: fires when it is closed."""
        gone: Deferred[None] = Deferred()
        self._waiting.append(gone)
        self.loseConnection()
        return gone


def keep_alive(transport: Any) -> None:
    """Switch on TCP keepalive, so that the system notices a dead peer."""
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    handle = transport.getHandle() if hasattr(transport, "getHandle") else None
    if isinstance(handle, socket.socket) and handle.family != socket.AF_UNIX:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEP_ALIVE.items():
            if hasattr(socket, name):
                handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class _ConnectionFactory(WrappingFactory[_Connection]):
    """Wraps each HTTP connection, without Twisted's log lines about it."""

    noisy = False

    def __init__(self, wrapped: IProtocolFactory, all_open: set[_Connection]) -> None:
        super().__init__(wrapped)  # type: ignore[no-untyped-call]
        self.protocol = lambda factory, protocol: _Connection(factory, protocol, all_open)

    def doStart(self) -> None:
        """Nothing starts (`IProtocolFactory`)."""

    def doStop(self) -> None:
        """Nothing ends (`IProtocolFactory`)."""


@implementer(IStreamClientEndpoint)
class _TrackingEndpoint:
    """An endpoint that keeps a set of its connections."""

    def __init__(self, endpoint: IStreamClientEndpoint, all_open: set[_Connection]) -> None:
        self._endpoint = endpoint
        self._all_open = all_open

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect (`IStreamClientEndpoint`)."""
        return self._endpoint.connect(
            _ConnectionFactory(protocolFactory, self._all_open)
        ).addCallback(_unwrap)


def _unwrap(connection: IProtocol) -> IProtocol:
    assert isinstance(connection, _Connection)
    return connection.wrappedProtocol


@implementer(IAgent)
class _UncompressedAgent:
    """
    An agent that asks for uncompressed answers.

    treq would ask for compressed ones. One read could then expand a thousandfold, and Twisted
    takes a body that it cannot decompress for an empty one.
    """

    def __init__(self, agent: IAgent) -> None:
        self._agent = agent

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """Send a request (`IAgent`)."""
        plain = Headers() if headers is None else headers.copy()
        plain.setRawHeaders("Accept-Encoding", ["identity"])
        return self._agent.request(method, uri, plain, bodyProducer)


@implementer(IAgentEndpointFactory)
class _OneEndpoint:
    """Leads every URL to our server."""

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """The one endpoint (`IAgentEndpointFactory`)."""
        return self._endpoint
