"""
The connections to one endpoint: kept while idle, dialled when there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.error import TimeoutError
from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from ingress.deadline import Deadlines
from ingress.routing.snapshot import Endpoint
from ingress.upstream.http1 import HTTP1Upstream

MAX_IDLE = 320
"""Idle connections kept an endpoint: nginx's ``upstream-keepalive-connections``."""

CONNECT_TIMEOUT = 5.0
"""Seconds that a connection may take to be made: ``proxy-connect-timeout``."""


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

    def dial_failed(self, endpoint: Endpoint, *, timed_out: bool) -> None:
        """There will be none."""


class EndpointPool:
    """
    :param dial: makes connections.
    :param deadlines: end idle connections and unanswered requests.
    """

    def __init__(self, endpoint: Endpoint, dial: Dialer, deadlines: Deadlines) -> None:
        self.endpoint = endpoint
        self.deadlines = deadlines
        self.is_retired = False
        self._dial = dial
        self._idle: list[HTTP1Upstream] = []

    def __repr__(self) -> str:
        return f"<EndpointPool {self.endpoint} idle={len(self._idle)}>"

    def take_idle(self) -> HTTP1Upstream | None:
        """The connection that was used last, since the endpoint will close it last."""
        return self._idle.pop() if self._idle else None

    def dial(self, user: PoolUser) -> Callable[[], None]:
        """
        Make a new connection for `user`.

        :return: what to call where the user no longer wants it; it is told nothing then.
        """
        factory = _Dialling(self, user)
        connector = self._dial(
            self.endpoint.host, self.endpoint.port, factory, timeout=CONNECT_TIMEOUT
        )

        def cancel() -> None:
            factory.user = None
            connector.disconnect()

        return cancel

    def release(self, connection: HTTP1Upstream) -> None:
        """A connection has answered and may serve again."""
        if self.is_retired or len(self._idle) >= MAX_IDLE:
            connection.close()
        else:
            self._idle.append(connection)

    def lost(self, connection: HTTP1Upstream) -> None:
        """A connection ends or has ended; it may have been idle, and is then not taken again."""
        if connection in self._idle:
            self._idle.remove(connection)

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

    def buildProtocol(self, addr: IAddress | None) -> HTTP1Upstream | None:
        """IProtocolFactory."""
        # The transport keeps us as long as it lives, the user must not be kept as long.
        user, self.user = self.user, None
        return None if user is None else HTTP1Upstream(self.pool, user.connected)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """ClientFactory: the attempt came to nothing."""
        user, self.user = self.user, None
        if user is not None:
            timed_out = isinstance(reason.value, TimeoutError)
            user.dial_failed(self.pool.endpoint, timed_out=timed_out)
