"""
The connections to one endpoint: kept while idle, dialled when there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from ingress.config import Limits
from ingress.deadline import Deadlines
from ingress.endpoint import Endpoint
from ingress.policy.backend_tls import BackendTLS
from ingress.upstream.connection import ConnectionOwner, EndpointConnection
from ingress.upstream.dialer import Dialer, dial_error
from ingress.upstream.endpoint_load import EndpointLoad
from ingress.upstream.http1 import HTTP1Upstream
from ingress.upstream.stream import EndpointStream, PendingStream, StreamReceiver

CONNECT_TIMEOUT: Final = Limits().connect_timeout
"""Seconds for a connection if no route's `ProxySettings.connect_timeout` applies."""


@dataclass(slots=True)
class PoolLimits:
    """The limits of the configuration: one object for all pools, changed with the configuration."""

    current: Limits = Limits()

    does_age: bool = False
    """Whether a connection may have served enough, so that its streams are counted."""

    def apply(self, limits: Limits) -> None:
        """Take over new limits."""
        self.current = limits
        requests, age = limits.upstream_connection_requests, limits.upstream_connection_age
        self.does_age = requests is not None or age is not None


class EndpointPool(ConnectionOwner):
    """
    The connections to one endpoint.

    :param endpoint: the address of the endpoint.
    :param dial: makes connections.
    :param deadlines: end idle connections and unanswered requests.
    :param limits: the limits in force at any time.
    :param tls: the settings of TLS; None for connections in the clear.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        dial: Dialer,
        deadlines: Deadlines,
        limits: PoolLimits,
        tls: BackendTLS | None = None,
    ) -> None:
        super().__init__(endpoint, deadlines)
        self.tls = tls
        self.name = str(endpoint).encode()
        """The endpoint as the access log writes it."""

        self.load = EndpointLoad()
        self.is_retired = False
        self._dial = dial
        self._limits = limits
        self._idle: list[EndpointConnection] = []

    def __repr__(self) -> str:
        return f"<EndpointPool {self.endpoint} idle={len(self._idle)}>"

    @property
    def limits(self) -> Limits:
        """ConnectionOwner."""
        return self._limits.current

    @property
    def idle_timeout(self) -> float:
        """ConnectionOwner."""
        return self._limits.current.idle_upstream_timeout

    @property
    def is_in_use(self) -> bool:
        """Whether there is an idle connection or a request in flight."""
        return bool(self._idle or self.load.in_flight)

    def acquire(
        self, receiver: StreamReceiver, timeout: float = CONNECT_TIMEOUT, *, is_new: bool = False
    ) -> EndpointStream | PendingStream:
        """
        Get a stream for one request.

        :param receiver: gets a stream that takes a wait (`stream_acquired` or `stream_refused`),
            not before this method has returned.
        :param timeout: seconds that a new connection may take.
        :param is_new: whether the stream must be on a connection that has not served before.
        :return: the stream, if there is one at once; else the wait, which can be cancelled.
        """
        # The connection that was used last, because the endpoint will close it last.
        idle = self._idle
        while idle and not is_new:
            connection = idle.pop()
            if not connection.has_input():
                return connection
            connection.close()
        return Dial(self, receiver, timeout)

    def release(self, connection: EndpointConnection) -> None:
        """ConnectionOwner."""
        idle = self._idle
        limits = self._limits
        if (
            self.is_retired
            or len(idle) >= limits.current.idle_upstream_connections
            or (limits.does_age and self._has_served_enough(connection))
        ):
            connection.close()
        else:
            idle.append(connection)

    def _has_served_enough(self, connection: EndpointConnection) -> bool:
        connection.uses += 1
        limits = self._limits.current
        requests, age = limits.upstream_connection_requests, limits.upstream_connection_age
        if requests is not None and connection.uses >= requests:
            return True
        return age is not None and self.deadlines.now() - connection.made_at >= age

    def lost(self, connection: EndpointConnection) -> None:
        """ConnectionOwner."""
        if connection in self._idle:
            self._idle.remove(connection)

    def trim(self) -> None:
        """Close idle connections beyond the limit, beginning with those unused for longest."""
        surplus = len(self._idle) - self.limits.idle_upstream_connections
        if surplus > 0:
            closed, self._idle = self._idle[:surplus], self._idle[surplus:]
            for connection in closed:
                connection.close()

    def retire(self) -> None:
        """Close idle connections, and from now on each other one after its response."""
        self.is_retired = True
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def dial(self, factory: ClientFactory, timeout: float) -> IConnector:
        """Start a connection to the endpoint."""
        return self._dial(self.endpoint.host, self.endpoint.port, factory, timeout=timeout)


class Dial(PendingStream):
    """
    A stream whose connection is being made.

    :param preface: what the endpoint gets before everything else.
    """

    def __init__(
        self, pool: EndpointPool, receiver: StreamReceiver, timeout: float, preface: bytes = b""
    ) -> None:
        self._factory = _DialFactory(pool, receiver, preface)
        self._connector = pool.dial(self._factory, timeout)

    def cancel(self) -> None:
        """PendingStream."""
        self._factory.receiver = None
        self._connector.disconnect()


class _DialFactory(ClientFactory):
    """Makes the protocol of one connection."""

    noisy = False

    def __init__(self, pool: EndpointPool, receiver: StreamReceiver, preface: bytes) -> None:
        self.pool = pool
        self.preface = preface
        self.receiver: StreamReceiver | None = receiver

    def buildProtocol(  # type: ignore[override]  # An IProtocol, not a Protocol.
        self, addr: IAddress | None
    ) -> HTTP1Upstream | None:
        """IProtocolFactory."""
        # The transport keeps this factory as long as it lives; the receiver must not live as long.
        receiver, self.receiver = self.receiver, None
        return None if receiver is None else HTTP1Upstream(self.pool, receiver)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """ClientFactory: no connection was made."""
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.stream_refused(dial_error(reason))
