"""
HTTP connections to the API server: pooled, kept alive, and closed at once when nobody wants them.
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
"""Seconds for TCP, each address of the server's name."""

IDLE_TIMEOUT = 60
"""Seconds for which an idle connection is kept: the API server itself keeps it for 90."""

MAX_IDLE = 8
"""Connections; a watch each for some kinds, and what is read and written besides."""

KEEP_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""
A server that is gone without a word is noticed after a minute; a watch may have
nothing to say for as long.
"""

MAX_HEAD_SIZE = 256 * 1024
"""Bytes of an answer's head, which Twisted would gather without end. The API server's has 500."""

_HEAD_END = re.compile(rb"\n\r?\n")

MakeEndpoint = Callable[[ClientCertificate | None, bytes | None], IStreamClientEndpoint]
"""
What leads to the server, for whoever has that certificate and trusts that CA; None for the
CA that was there at the start.
"""


def endpoint_maker(reactor: Any, server: Server) -> MakeEndpoint:
    """
    :return: a function that raises UnusableTLS if the certificate or the CA cannot be used.
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
    :param make_endpoint: makes a way to the server.
    :param ca: the file of the CA, where that may be replaced.
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
        :param certificate: who we are. If it is another one than before, or the CA is, no
            connection of before is used.
        :raises UnreadableFile: if there is no CA.
        :raises UnusableTLS: if certificate or CA are none.
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
            # treq would keep cookies, and nobody else who asks an API server does.
            self._client = HTTPClient(
                _UncompressedAgent(agent),
                IndexableCookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
                make_body_producer,
            )
        return self._client

    def drop_idle(self) -> None:
        """Close what nobody uses."""
        if self._pool is not None:
            self._pool.closeCachedConnections()

    async def close(self) -> None:
        """Close all of them; fires when none is left."""
        self.drop_idle()
        while self._open:
            # While one of them goes, others go as well.
            await next(iter(self._open)).abort()

    def _make_pool(self) -> HTTPConnectionPool:
        pool = HTTPConnectionPool(self._clock)
        pool.maxPersistentPerHost = MAX_IDLE
        pool.cachedConnectionTimeout = IDLE_TIMEOUT
        return pool


class _Connection(ProtocolWrapper):
    """
    A connection that is closed at once, without waiting for the server, and on which no head
    of an answer is endless.

    Over TLS, Twisted's `loseConnection` waits for the server's goodbye, without end. There is
    nothing left to be sent whenever an HTTP client closes.
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
        """What has come of an answer's head; None if none is awaited."""

    def makeConnection(self, transport: ITransport) -> None:
        """It is there (`IProtocol`)."""
        keep_alive(transport)
        self._all_open.add(self)
        super().makeConnection(transport)  # type: ignore[no-untyped-call]

    def write(self, data: bytes) -> None:
        """Part of a request (`ITransport`)."""
        self._head = bytearray()
        super().write(data)  # type: ignore[no-untyped-call]

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Part of a request (`ITransport`)."""
        self.write(b"".join(data))

    def dataReceived(self, data: bytes) -> None:
        """Part of an answer (`IProtocol`)."""
        if self._head is not None:
            self._head += data
            if _HEAD_END.search(self._head, max(0, len(self._head) - len(data) - 2)):
                self._head = None
            elif len(self._head) > MAX_HEAD_SIZE:
                self.loseConnection()
                return
        super().dataReceived(data)  # type: ignore[no-untyped-call]

    def loseConnection(self) -> None:
        """Close it (`ITransport`)."""
        self.disconnecting = 1
        transport: Any = self.transport
        transport.abortConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """It is gone (`IProtocol`)."""
        self._all_open.discard(self)
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def abort(self) -> Deferred[None]:
        """:return: fires when it is gone."""
        gone: Deferred[None] = Deferred()
        self._waiting.append(gone)
        self.loseConnection()
        return gone


def keep_alive(transport: Any) -> None:
    """Let the system notice when nobody is at the other end any more."""
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    handle = transport.getHandle() if hasattr(transport, "getHandle") else None
    if isinstance(handle, socket.socket) and handle.family != socket.AF_UNIX:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEP_ALIVE.items():
            if hasattr(socket, name):
                handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class _ConnectionFactory(WrappingFactory[_Connection]):
    """Wraps each HTTP connection; without Twisted's words to the log about it."""

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
    """An endpoint whose connections are known."""

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
    An agent that wants answers as they are.

    treq would have them compressed. What comes in one read could then be a thousand times as
    large at once, and what Twisted cannot decompress it takes for nothing at all.
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
        """Ask (`IAgent`)."""
        plain = Headers() if headers is None else headers.copy()
        plain.setRawHeaders("Accept-Encoding", ["identity"])
        return self._agent.request(method, uri, plain, bodyProducer)


@implementer(IAgentEndpointFactory)
class _OneEndpoint:
    """Whatever the URL, it is our server's."""

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """The one endpoint (`IAgentEndpointFactory`)."""
        return self._endpoint
