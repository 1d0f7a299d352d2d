"""
The connections to one endpoint that speaks HTTP/2: few, and shared by all requests.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from ingress.deadline import Deadlines
from ingress.endpoint import Endpoint
from ingress.errors import DialFailed, PeerError
from ingress.http2.client import STREAMS_BEFORE_SETTINGS
from ingress.http2.counts import HTTP2Counts
from ingress.policy.backend_tls import H2, BackendTLS
from ingress.stream_protocol import StreamProtocol
from ingress.upstream.dialer import Dialer, dial_error
from ingress.upstream.http1 import HTTP1Upstream
from ingress.upstream.http2 import HTTP2Upstream, SharedOwner
from ingress.upstream.http2_stream import HTTP2Stream
from ingress.upstream.pool import CONNECT_TIMEOUT, EndpointPool, PoolLimits
from ingress.upstream.stream import EndpointStream, PendingStream, StreamReceiver


class SharedPool(EndpointPool, SharedOwner):
    """
    The connections to one endpoint.

    Over TLS an endpoint may agree on HTTP/1.1 instead, if its settings allow that: then this is a
    pool like any other, because it is one.

    :param counts: those of the connections to all endpoints.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        dial: Dialer,
        deadlines: Deadlines,
        limits: PoolLimits,
        tls: BackendTLS | None,
        counts: HTTP2Counts,
    ) -> None:
        super().__init__(endpoint, dial, deadlines, limits, tls)
        self.counts = counts
        self._connections: list[HTTP2Upstream] = []
        """Those that may take streams, the oldest first."""

        self._leaving: set[HTTP2Upstream] = set()
        """Those that take no further stream and are not closed yet."""

        self._dials: list[SharedDial] = []
        self._speaks_http1 = False
        """Whether the endpoint has agreed on HTTP/1.1."""

    @property
    def is_in_use(self) -> bool:
        """As `EndpointPool.is_in_use`."""
        return bool(self._connections or self._leaving or self._dials) or super().is_in_use

    def acquire(
        self, receiver: StreamReceiver, timeout: float = CONNECT_TIMEOUT, *, is_new: bool = False
    ) -> EndpointStream | PendingStream:
        """As `EndpointPool.acquire`: a share of a connection with room, else the wait for one."""
        if self._speaks_http1:
            return super().acquire(receiver, timeout, is_new=is_new)
        # The oldest first, so that the others run empty and can be closed.
        for connection in self._connections:
            if connection.room:
                return self._stream(connection)
        for dial in self._dials:
            if len(dial.waiting) < STREAMS_BEFORE_SETTINGS:
                return dial.add(receiver)
        dial = SharedDial(self)
        waiting = dial.add(receiver)
        self._dials.append(dial)
        dial.begin(timeout)
        return waiting

    def _stream(self, connection: HTTP2Upstream) -> HTTP2Stream:
        return HTTP2Stream(connection, self.deadlines.now, is_secure=self.tls is not None)

    # SharedOwner.

    def opened(self, connection: HTTP2Upstream) -> None:
        if self.is_retired:
            self._leaving.add(connection)
            connection.leave()
        else:
            self._connections.append(connection)

    def left(self, connection: HTTP2Upstream) -> None:
        if connection in self._connections:
            self._connections.remove(connection)

    # The dials' side.

    def dial_ended(self, dial: SharedDial) -> None:
        """A dial has come to something, or to nothing."""
        if dial in self._dials:
            self._dials.remove(dial)

    def serve(self, connection: HTTP2Upstream, waiting: list[Waiting]) -> None:
        """Give the streams of a new connection to those who wait for it."""
        for each in waiting:
            receiver = each.take()
            if receiver is None:
                continue
            if connection.room:
                receiver.stream_acquired(self._stream(connection))
            else:
                self._acquire_again(each, receiver)

    def serve_http1(self, waiting: list[Waiting]) -> StreamProtocol | None:
        """
        The endpoint speaks HTTP/1.1: the first who waits gets the connection, and the others one of
        their own.

        :return: the protocol of the connection; None if nobody wants it any more.
        """
        self._speaks_http1 = True
        protocol: HTTP1Upstream | None = None
        for each in waiting:
            receiver = each.take()
            if receiver is None:
                continue
            if protocol is None:
                protocol = HTTP1Upstream(self, receiver)
            else:
                self._acquire_again(each, receiver)
        return protocol

    def _acquire_again(self, waiting: Waiting, receiver: StreamReceiver) -> None:
        acquired = self.acquire(receiver)
        if isinstance(acquired, EndpointStream):
            receiver.stream_acquired(acquired)
        else:
            waiting.follow(acquired)

    def retire(self) -> None:
        """As `EndpointPool.retire`."""
        super().retire()
        for connection in [*self._connections]:
            self.left(connection)
            connection.leave()


class Waiting(PendingStream):
    """The wait for a stream on a connection that is being made."""

    def __init__(self, dial: SharedDial, receiver: StreamReceiver) -> None:
        self._dial = dial
        self._receiver: StreamReceiver | None = receiver
        self._next: PendingStream | None = None
        """The wait that has taken the place of this one."""

    def follow(self, pending: PendingStream) -> None:
        """Go on with another wait."""
        self._next = pending

    def take(self) -> StreamReceiver | None:
        """:return: the receiver, once; None if it waits no more."""
        receiver, self._receiver = self._receiver, None
        return receiver

    def cancel(self) -> None:
        """PendingStream."""
        self._receiver = None
        self._dial.remove(self)
        pending, self._next = self._next, None
        if pending is not None:
            pending.cancel()


class SharedDial(ClientFactory):
    """A connection that is being made, and who waits for it."""

    noisy = False

    def __init__(self, pool: SharedPool) -> None:
        self.waiting: list[Waiting] = []
        self._pool = pool
        self._connector: IConnector | None = None
        self._is_over = False

    def __repr__(self) -> str:
        return f"<SharedDial to {self._pool.endpoint} for {len(self.waiting)}>"

    def begin(self, timeout: float) -> None:
        """Start it."""
        self._connector = self._pool.dial(self, timeout)

    def add(self, receiver: StreamReceiver) -> Waiting:
        """Wait for it as well."""
        waiting = Waiting(self, receiver)
        self.waiting.append(waiting)
        return waiting

    def remove(self, waiting: Waiting) -> None:
        """Somebody waits no more; the dial ends with the last of them."""
        if waiting in self.waiting:
            self.waiting.remove(waiting)
        if not self.waiting and not self._is_over:
            self._end()
            if self._connector is not None:
                self._connector.disconnect()

    def _end(self) -> list[Waiting]:
        """:return: those who wait."""
        self._is_over = True
        self._pool.dial_ended(self)
        waiting, self.waiting = self.waiting, []
        return waiting

    def buildProtocol(  # type: ignore[override]  # An IProtocol, not a Protocol.
        self, addr: IAddress | None
    ) -> StreamProtocol | None:
        """IProtocolFactory."""
        return None if self._is_over else _Agreement(self)

    def made(self, negotiated: bytes | None) -> StreamProtocol | None:
        """
        The connection is made.

        :param negotiated: what ALPN has agreed on, if anything.
        :return: its protocol; None if it is not wanted.
        """
        pool = self._pool
        waiting = self._end()
        if pool.tls is not None and negotiated != H2:
            if H2 in pool.tls.alpn and len(pool.tls.alpn) > 1:
                return pool.serve_http1(waiting)
            self._refuse(waiting, DialFailed("The endpoint does not agree on HTTP/2."))
            return None
        return _Opened(pool, waiting)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """ClientFactory: no connection was made."""
        self._refuse(self._end(), dial_error(reason))

    def _refuse(self, waiting: list[Waiting], error: PeerError) -> None:
        for each in waiting:
            receiver = each.take()
            if receiver is not None:
                receiver.stream_refused(error)


class _Opened(HTTP2Upstream):
    """A connection whose first streams are wanted already."""

    def __init__(self, pool: SharedPool, waiting: list[Waiting]) -> None:
        super().__init__(pool, pool, pool.counts)
        self._pool = pool
        self._waiting = waiting

    def connectionMade(self) -> None:
        """IProtocol."""
        super().connectionMade()
        waiting, self._waiting = self._waiting, []
        self._pool.serve(self, waiting)


class _Agreement(StreamProtocol):
    """Stands in the place of the protocol until it is known."""

    def __init__(self, dial: SharedDial) -> None:
        self._dial = dial
        self._unsent = 0

    def connectionMade(self) -> None:
        """IProtocol."""
        transport = self.transport
        negotiated = getattr(transport, "negotiated_protocol", None)
        protocol = self._dial.made(negotiated)
        if protocol is None:
            transport.abortConnection()
            return
        transport.protocol = protocol
        protocol.makeConnection(transport)
