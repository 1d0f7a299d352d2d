"""
The connections to one endpoint: kept while idle, dialled when there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from twisted.internet.error import TimeoutError
from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from ingress.config import Limits
from ingress.deadline import Deadlines
from ingress.endpoint import Endpoint
from ingress.policy.backend_tls import BackendTLS
from ingress.upstream.endpoint_load import EndpointLoad
from ingress.upstream.http1 import HTTP1Upstream

CONNECT_TIMEOUT: Final = Limits().connect_timeout
"""For those who have no route's `ProxySettings.connect_timeout`; in seconds."""


@dataclass(slots=True)
class PoolLimits:
    """The limits of the configuration: one for all pools, changed as the configuration is."""

    current: Limits = Limits()


class Dialer(Protocol):
    """
    Starts a connection to an address, as `IReactorTCP.connectTCP` does: the factory
    hears of its end, good or bad, after the call has returned.
    """

    def __call__(
        self, host: str, port: int, factory: ClientFactory, timeout: float
    ) -> IConnector: ...


class PoolUser(Protocol):
    """Who asked for a connection that had to be dialled."""

    def connected(self, connection: HTTP1Upstream) -> None:
        """It is there, and the user's alone."""

    def dial_failed(self, *, timed_out: bool) -> None:
        """There will be none."""


class EndpointPool:
    """
    :param dial: makes connections.
    :param deadlines: end idle connections and unanswered requests.
    :param limits: as they are at any time.
    :param tls: how the endpoint is spoken to; None in the clear.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        dial: Dialer,
        deadlines: Deadlines,
        limits: PoolLimits,
        tls: BackendTLS | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.tls = tls
        self.deadlines = deadlines
        self.load = EndpointLoad()
        self.is_retired = False
        self._dial = dial
        self._limits = limits
        self._idle: list[HTTP1Upstream] = []

    def __repr__(self) -> str:
        return f"<EndpointPool {self.endpoint} idle={len(self._idle)}>"

    @property
    def limits(self) -> Limits:
        """Those of the configuration in force."""
        return self._limits.current

    @property
    def idle_timeout(self) -> float:
        """Seconds that a connection is kept which nobody uses."""
        return self._limits.current.idle_upstream_timeout

    @property
    def is_in_use(self) -> bool:
        """Whether there is an idle connection, or a request in flight."""
        return bool(self._idle or self.load.in_flight)

    def take_idle(self) -> HTTP1Upstream | None:
        """The connection that was used last, since the endpoint will close it last."""
        while self._idle:
            connection = self._idle.pop()
            # Else the endpoint has closed it, or has sent what would pass for the answer
            # to the next request.
            if not connection.transport.has_input():  # type: ignore[attr-defined]
                return connection
            connection.close()
        return None

    def dial(self, user: PoolUser, timeout: float = CONNECT_TIMEOUT) -> Callable[[], None]:
        """
        Make a new connection for `user`.

        :param timeout: seconds that it may take.
        :return: what to call where the user no longer wants it; it is told nothing then.
        """
        factory = _Dialling(self, user)
        connector = self._dial(self.endpoint.host, self.endpoint.port, factory, timeout=timeout)

        def cancel() -> None:
            factory.user = None
            connector.disconnect()

        return cancel

    def release(self, connection: HTTP1Upstream) -> None:
        """A connection has answered and may serve again."""
        idle = self._idle
        if self.is_retired or len(idle) >= self._limits.current.idle_upstream_connections:
            connection.close()
        else:
            idle.append(connection)

    def lost(self, connection: HTTP1Upstream) -> None:
        """A connection ends or has ended; it may have been idle, and is then not taken again."""
        if connection in self._idle:
            self._idle.remove(connection)

    def trim(self) -> None:
        """Close the connections that are more than may be idle now, the longest unused first."""
        surplus = len(self._idle) - self.limits.idle_upstream_connections
        if surplus > 0:
            closed, self._idle = self._idle[:surplus], self._idle[surplus:]
            for connection in closed:
                connection.close()

    def retire(self) -> None:
        """The endpoint is gone: no connection outlives the exchange that it serves."""
        self.is_retired = True
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


class _Dialling(ClientFactory):
    """One attempt to connect."""

    noisy = False

    def __init__(self, pool: EndpointPool, user: PoolUser) -> None:
        self.pool = pool
        self.user: PoolUser | None = user

    def buildProtocol(  # type: ignore[override]  # An IProtocol, not a Protocol.
        self, addr: IAddress | None
    ) -> HTTP1Upstream | None:
        """IProtocolFactory."""
        # The transport keeps us as long as it lives, the user must not be kept as long.
        user, self.user = self.user, None
        return None if user is None else HTTP1Upstream(self.pool, user.connected)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """ClientFactory: the attempt came to nothing."""
        user, self.user = self.user, None
        if user is not None:
            timed_out = isinstance(reason.value, TimeoutError)
            user.dial_failed(timed_out=timed_out)
