"""
The connections to one endpoint that speaks HTTP/2: few, and shared by all requests.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from ingress.deadline import NEVER, Deadlines
from ingress.endpoint import Endpoint
from ingress.errors import DialFailed, DialTimeout, PeerError
from ingress.http2.counts import HTTP2Counts
from ingress.policy.backend_tls import H2, BackendTLS
from ingress.transports.stream import StreamProtocol
from ingress.upstream.dialer import Dialer, dial_error
from ingress.upstream.http1 import HTTP1Upstream
from ingress.upstream.http2 import HTTP2Upstream, SharedOwner
from ingress.upstream.http2_stream import HTTP2Stream
from ingress.upstream.pool import CONNECT_TIMEOUT, EndpointPool, PoolLimits
from ingress.upstream.stream import EndpointStream, PendingStream, StreamReceiver

STREAMS_AT_FIRST: Final = 8
"""
How many requests are sent on a new connection before its endpoint has said how many it takes, if
it has taken as many on an earlier one. The first connection begins with one.
"""


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

        self._dials: list[SharedDial] = []
        """Those whose endpoint has not sent its settings yet; requests may wait for them."""

        self._said = 0
        """How many streams the endpoint has said that it takes on a connection; 0 before that."""

        self.streams_at_first = 1
        """How many of them are opened before it has said so."""

        self._speaks_http1 = False
        """Whether the endpoint has agreed on HTTP/1.1."""

    @property
    def is_in_use(self) -> bool:
        """As `EndpointPool.is_in_use`."""
        return bool(self._connections or self._dials) or super().is_in_use

    def acquire(
        self, receiver: StreamReceiver, timeout: float = CONNECT_TIMEOUT, *, is_new: bool = False
    ) -> EndpointStream | PendingStream:
        """As `EndpointPool.acquire`: a share of a connection with room, else the wait for one."""
        if self._speaks_http1:
            return super().acquire(receiver, timeout, is_new=is_new)
        # The oldest first, so that the others run empty and can be closed.
        for connection in self._connections:
            if connection.room:
                return self.stream(connection)
        for dial in self._dials:
            if dial.expects < (self._said or self._limits.current.http2_expected_streams):
                return dial.add(receiver)
        dial = SharedDial(self)
        waiting = dial.add(receiver)
        self._dials.append(dial)
        dial.begin(timeout)
        return waiting

    def stream(self, connection: HTTP2Upstream) -> HTTP2Stream:
        """:return: a stream on a connection that has room."""
        return HTTP2Stream(connection, self.deadlines.now, is_secure=self.tls is not None)

    # SharedOwner.

    def opened(self, connection: HTTP2Upstream) -> None:
        if not self.is_retired:
            self._connections.append(connection)

    def left(self, connection: HTTP2Upstream) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
        for dial in list(self._dials):
            if dial.connection is connection:
                dial.fail(DialFailed("The endpoint closed the connection."))

    # The dials' side.

    def dial_ended(self, dial: SharedDial) -> None:
        """A dial has come to something, or to nothing."""
        if dial in self._dials:
            self._dials.remove(dial)

    def learned(self, streams: int) -> None:
        """An endpoint has said how many streams it takes on a connection; 0 is only for now."""
        self._said = streams or self._said
        self.streams_at_first = max(1, min(streams, STREAMS_AT_FIRST))

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
                self.acquire_again(each, receiver)
        return protocol

    def acquire_again(self, waiting: Waiting, receiver: StreamReceiver) -> None:
        """Let somebody who waited for a connection that is full have another one."""
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
    """
    A connection that is being made, and who waits for it.

    Once it is made, some get their streams at once. The others wait until the endpoint has said
    how many it takes: a request that it refuses has cost a round trip as well.

    :ivar preface: what the endpoint gets before everything else.
    :ivar connection: the connection, once it is made.
    :ivar deadline: when the endpoint must have sent its settings.
    """

    noisy = False

    def __init__(self, pool: SharedPool, preface: bytes = b"") -> None:
        self.preface = preface
        self.waiting: list[Waiting] = []
        self.connection: HTTP2Upstream | None = None
        self.deadline = NEVER
        self._pool = pool
        self._connector: IConnector | None = None
        self._must_settle_by = NEVER
        self._is_over = False

    def __repr__(self) -> str:
        return f"<SharedDial to {self._pool.endpoint} for {len(self.waiting)}>"

    def begin(self, timeout: float) -> None:
        """Start it."""
        self._must_settle_by = self._pool.deadlines.now() + timeout
        self._connector = self._pool.dial(self, timeout)

    @property
    def expects(self) -> int:
        """How many streams the connection is wanted for, those included that are open already."""
        connection = self.connection
        return len(self.waiting) + (0 if connection is None else connection.stream_count)

    def add(self, receiver: StreamReceiver) -> Waiting:
        """Wait for it as well."""
        waiting = Waiting(self, receiver)
        self.waiting.append(waiting)
        return waiting

    def remove(self, waiting: Waiting) -> None:
        """Somebody waits no more; the dial ends with the last of them."""
        if waiting in self.waiting:
            self.waiting.remove(waiting)
        if not self.waiting and not self._is_over and self.connection is None:
            self._end()
            if self._connector is not None:
                self._connector.disconnect()

    def _end(self) -> list[Waiting]:
        """:return: those who still wait."""
        self._is_over = True
        self._pool.dial_ended(self)
        self._pool.deadlines.forget(self)
        self.connection = None
        waiting, self.waiting = self.waiting, []
        return waiting

    # Before there is a connection.

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
        if pool.tls is not None and negotiated != H2:
            if H2 in pool.tls.alpn and len(pool.tls.alpn) > 1:
                return pool.serve_http1(self._end())
            self.fail(DialFailed("The endpoint does not agree on HTTP/2."))
            return None
        return _Opened(pool, self)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """ClientFactory: no connection was made."""
        self.fail(dial_error(reason))

    def fail(self, error: PeerError) -> None:
        """There will be no stream for those who still wait."""
        for each in self._end():
            receiver = each.take()
            if receiver is not None:
                receiver.stream_refused(error)

    # The connection's side.

    def opened(self, connection: HTTP2Upstream) -> None:
        """The connection takes its first streams."""
        self.connection = connection
        self.deadline = self._must_settle_by
        self._pool.deadlines.watch(self)
        self._serve(connection)
        if self._pool.is_retired and not self.waiting:
            self._end()
            connection.leave()

    def settled(self, connection: HTTP2Upstream, streams: int) -> None:
        """
        The endpoint's settings have come.

        :param streams: how many it takes at once.
        """
        self._pool.learned(streams)
        self._serve(connection)
        if not streams:
            # Another connection would take none either.
            self.fail(DialFailed("The endpoint takes no requests."))
        if self._pool.is_retired:
            self.fail(DialFailed("The endpoint is gone."))
            connection.leave()
        for each in self._end():
            receiver = each.take()
            if receiver is not None:
                self._pool.acquire_again(each, receiver)

    def _serve(self, connection: HTTP2Upstream) -> None:
        """Give streams to those who wait, as far as there are any."""
        while self.waiting and connection.room:
            receiver = self.waiting.pop(0).take()
            if receiver is not None:
                receiver.stream_acquired(self._pool.stream(connection))

    def deadline_passed(self) -> None:
        """Timed."""
        self.fail(DialTimeout("The endpoint did not say in time how many requests it takes."))


class _Opened(HTTP2Upstream):
    """A connection whose first streams are wanted already."""

    def __init__(self, pool: SharedPool, dial: SharedDial) -> None:
        super().__init__(pool, pool, pool.counts, pool.streams_at_first)
        self._dial: SharedDial | None = dial
        self._has_settled = False

    def connectionMade(self) -> None:
        """IProtocol."""
        super().connectionMade()
        if self._dial is not None:
            self._dial.opened(self)

    def settings_changed(self) -> None:
        """ClientEvents."""
        self._has_settled = True

    def dataReceived(self, data: bytes) -> None:
        """IProtocol: those who wait are served after a whole read, which may end the connection."""
        super().dataReceived(data)
        if self._has_settled and self._dial is not None:
            dial, self._dial = self._dial, None
            dial.settled(self, self.max_streams)


class _Agreement(StreamProtocol):
    """Stands in the place of the protocol until it is known."""

    def __init__(self, dial: SharedDial) -> None:
        self._dial = dial
        self._unsent = 0

    def connectionMade(self) -> None:
        """IProtocol."""
        transport = self.transport
        protocol = self._dial.made(transport.negotiated_protocol)
        if protocol is None:
            transport.abortConnection()
            return
        transport.protocol = protocol
        protocol.makeConnection(transport)
