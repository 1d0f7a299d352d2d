"""
A connection to an endpoint, in HTTP/1.1: one request at a time, its response streamed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from ingress.deadline import NEVER
from ingress.errors import EndpointClosed, EndpointTimeout, PeerError, ResponseError
from ingress.http1.body import LAST_CHUNK, BodyDecoder, encode_chunk
from ingress.http1.head import EMPTY_BODY, HEAD_END, is_websocket
from ingress.http1.response_head import check_unfinished_response_head, parse_response_head
from ingress.message import Request
from ingress.policy.proxy_settings import ProxySettings
from ingress.stream_protocol import StreamProtocol
from ingress.upstream.response_receiver import ResponseReceiver, TunnelReceiver

if TYPE_CHECKING:
    from ingress.upstream.pool import EndpointPool

_DEFAULT_TIMEOUTS: Final = ProxySettings()

MAX_INTERIM: Final = 100
"""
Interim responses before the final one. Of 102 (Processing) one every 20 s is usual
(RFC 2518 section 10.1), that is half an hour of them; of others there are a few.
"""


class HTTP1Upstream(StreamProtocol):
    """
    :param pool: where it goes when it has answered.
    :param on_connected: called once with it.
    """

    def __init__(self, pool: EndpointPool, on_connected: Callable[[HTTP1Upstream], None]) -> None:
        self.deadline = NEVER
        self.is_reused = False
        """Whether it has answered before: then the endpoint may have closed it meanwhile."""

        self.has_answered = False
        """Whether any byte of the response has come."""

        self._pool = pool
        self._now = pool.deadlines.now
        self._on_connected: Callable[[HTTP1Upstream], None] | None = on_connected
        self._receiver: ResponseReceiver | None = None
        self._tunnel: TunnelReceiver | None = None
        """In place of the receiver, once the endpoint has switched."""

        self._buffer = b""
        self._interim_count = 0
        self._method = b""
        self._body: BodyDecoder | None = None
        self._keep_alive = True
        self._may_send_more = False
        """Whether a body may follow the response that must not, so that nothing else is asked."""

        self._is_chunked = False
        self._is_request_sent = True
        self._is_response_paused = False
        """Whether the receiver wants no more of the response for now."""

        self._is_stalled = False
        """Whether the endpoint has left a full send buffer as it is."""

        self._is_closing = False
        self._may_switch = False
        """Whether the request asked for a tunnel."""

        self._may_skip_body = False
        """Whether the endpoint may answer without reading a body that is sent all the same."""

        self._timeouts = _DEFAULT_TIMEOUTS

    def __repr__(self) -> str:
        state = "idle" if self._peer is None else "busy"
        return f"<HTTP1Upstream {self._pool.endpoint} {state}>"

    @property
    def _peer(self) -> ResponseReceiver | TunnelReceiver | None:
        """Who is told of what becomes of the connection."""
        return self._receiver or self._tunnel

    # The exchange's side.

    def send_head(
        self, receiver: ResponseReceiver, request: Request, head: bytes, timeouts: ProxySettings
    ) -> None:
        """
        Begin a request. If it has a body, `send_body` and `end_body` follow.

        :param head: of `request`, serialized for the endpoint.
        :param timeouts: for what the endpoint does not read, or does not send.
        """
        self._receiver = receiver
        self._method = request.method
        self._is_chunked = request.body_length is None
        self._may_switch = request.wants_websocket
        self._timeouts = timeouts
        self._body = None
        self._interim_count = 0
        self.has_answered = False
        self._is_request_sent = is_whole = request.body_length == 0
        self._may_skip_body = not is_whole and request.field(b"expect") is not None
        # Until the request is sent, it is the client who is waited for.
        self.deadline = self._now() + timeouts.read_timeout if is_whole else NEVER
        self.transport.write(head)

    def send_body(self, data: bytes) -> None:
        self.transport.write(encode_chunk(data) if self._is_chunked else data)

    def end_body(self) -> None:
        if self._is_chunked:
            self.transport.write(LAST_CHUNK)
        self._is_request_sent = True
        self._restart_deadline()

    def send_raw(self, data: bytes) -> None:
        """Into the tunnel."""
        self.transport.write(data)
        self._restart_deadline()

    def end_raw(self) -> None:
        """There will be no more for the tunnel; the endpoint may still send."""
        self.transport.loseWriteConnection()

    def close_tunnel(self) -> None:
        """Neither side has more for the tunnel."""
        self._tunnel = None
        self.close()

    def pause_response(self) -> None:
        """The client reads slower than the endpoint sends."""
        self._is_response_paused = True
        self.transport.pauseProducing()
        self._restart_deadline()

    def resume_response(self) -> None:
        self._is_response_paused = False
        self.transport.resumeProducing()
        self._restart_deadline()

    def abandon(self) -> None:
        """The receiver wants no more; whatever is half done ends with the connection."""
        self._receiver = self._tunnel = None
        self.deadline = NEVER
        self.transport.abortConnection()

    def close(self) -> None:
        """End a connection that is not in use, when what is written has been sent."""
        self._is_closing = True
        self.deadline = self._now() + self._timeouts.send_timeout
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _restart_deadline(self) -> None:
        """Give what is waited for now its whole time; a stalled endpoint keeps its own."""
        if self._is_stalled:
            return
        if self._is_response_paused or not self._is_request_sent:
            # It is the client who is waited for, and whose own deadline ends that.
            self.deadline = NEVER
        else:
            self.deadline = self._now() + self._timeouts.read_timeout

    # Twisted's side.

    def connectionMade(self) -> None:
        """IProtocol."""
        self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)
        self._pool.deadlines.watch(self)
        on_connected, self._on_connected = self._on_connected, None
        assert on_connected is not None
        on_connected(self)

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        tunnel = self._tunnel
        if tunnel is not None:
            tunnel.tunnel_received(data)
            self._restart_deadline()
            return
        receiver = self._receiver
        if receiver is None:
            # What an endpoint sends unasked goes to nobody, and what follows it
            # cannot be trusted to be an answer to the next request.
            self._pool.lost(self)
            self.transport.abortConnection()
            return
        self.has_answered = True
        try:
            rest = self._receive(receiver, data)
        except PeerError as error:
            self._fail(error)
            return
        if self._body is not None and self._body.is_complete:
            self._complete(receiver, rest)
        elif self._receiver is receiver:
            self._restart_deadline()
            receiver.response_flush()
        elif self._tunnel is not None:
            if rest:
                self._tunnel.tunnel_received(rest)
            self._restart_deadline()

    def _receive(self, receiver: ResponseReceiver, data: bytes) -> bytes:
        """Hand on what came; return what lies behind the end of the response."""
        while self._body is None:
            checked = len(self._buffer)
            data = self._buffer + data
            # Its end may have begun in the last three bytes.
            end = data.find(HEAD_END, checked - 3 if checked > 3 else 0)
            if end < 0:
                if data:
                    check_unfinished_response_head(data, self._pool.limits, checked)
                self._buffer = data
                return b""
            end += len(HEAD_END)
            self._buffer = b""
            head, data = data[:end], data[end:]
            is_whole = self._head(receiver, head, len(data))
            if self._receiver is not receiver:
                return data
            if is_whole:
                if data:
                    receiver.response_body(data)
                return b""
        body, rest = self._body.feed(data)
        if body:
            receiver.response_body(body)
        return rest

    def _head(self, receiver: ResponseReceiver, head: bytes, following: int) -> bool:
        """
        :param following: how many bytes came behind it.
        :return: whether these are the whole body, as they mostly are.
        """
        response, new_body = parse_response_head(head, self._method, self._pool.limits)
        if response.status >= 200:
            is_whole = response.body_length == following
            self._body = EMPTY_BODY if is_whole else new_body()
            # An endpoint that was not waited for could take the body for its next request.
            self._keep_alive = response.keep_alive and not self._may_skip_body
            is_without_body = self._method == b"HEAD" or response.status in (204, 304)
            self._may_send_more = is_without_body and not response.keep_alive
            receiver.response_started(response)
            return is_whole
        if response.status == 101:
            if not self._may_switch or not is_websocket(response):
                raise ResponseError("The endpoint switched to a protocol that was not asked for.")
            self._receiver = None
            self._tunnel = receiver.switched(response)
        else:
            self._interim_count += 1
            if self._interim_count > MAX_INTERIM:
                raise ResponseError("The endpoint sends interim responses without end.")
            self._may_skip_body &= response.status != 100
            receiver.response_interim(response)
        return False

    def _complete(self, receiver: ResponseReceiver, rest: bytes) -> None:
        if self._receiver is not receiver:
            return
        trailers = self._body.trailers if self._body is not None else ()
        self._receiver = None
        self._body = None
        if not self._is_request_sent or self._is_stalled or rest:
            # The endpoint has not read it all, or has sent what nobody asked for.
            self._reset()
        elif self._keep_alive:
            self.is_reused = True
            if self._is_response_paused:
                # By an interim response, and the receiver is gone that would go on.
                self._is_response_paused = False
                self.transport.resumeProducing()
            self.deadline = self._now() + self._pool.idle_timeout
            self._pool.release(self)
        elif self._may_send_more:
            # Not closed: a closed connection keeps its port for a minute, and there are ports for
            # 500 HEAD a second.
            self._reset()
        else:
            self.close()
        receiver.response_ended(trailers)

    def _reset(self) -> None:
        """End the connection at once, whatever the endpoint may still send."""
        self.deadline = NEVER
        self.transport.abortConnection()

    def _fail(self, error: PeerError) -> None:
        peer = self._peer
        self._receiver = self._tunnel = None
        self.deadline = NEVER
        self.transport.abortConnection()
        if peer is not None:
            peer.upstream_failed(error)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """IProtocol."""
        self._pool.deadlines.forget(self)
        # A reset is no end: what it cuts off would pass for the whole body.
        self._ended(is_end=isinstance(reason.value, ConnectionDone))

    def _ended(self, *, is_end: bool) -> None:
        """
        :param is_end: whether the endpoint said that there is no more.
        """
        self._pool.lost(self)
        peer, is_tunnel = self._peer, self._tunnel is not None
        self._receiver = self._tunnel = None
        if peer is None:
            return
        if is_end and (is_tunnel or (self._body is not None and self._body.close())):
            peer.response_ended(())
        else:
            peer.upstream_failed(EndpointClosed("The endpoint closed the connection."))

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol: the endpoint sends no more."""
        if self._tunnel is not None:
            self._tunnel.endpoint_finished()
        else:
            # There is no answer to come to what it still could be sent.
            self._ended(is_end=True)
            self.close()

    def deadline_passed(self) -> None:
        """Timed."""
        if self._is_closing:
            self.transport.abortConnection()
        elif self._peer is None:
            # Not later: until the reactor has closed it, somebody could still take it.
            self._pool.lost(self)
            self.close()
        elif self._is_stalled and self.has_peer_read():
            self.deadline = self._now() + self._timeouts.send_timeout
        else:
            self._fail(EndpointTimeout("The endpoint took too long."))

    # IPushProducer, of request bodies: the transport's own buffer is full, or empty again.

    def pauseProducing(self) -> None:
        self._is_stalled = True
        self.has_peer_read()
        self.deadline = self._now() + self._timeouts.send_timeout
        if (peer := self._peer) is not None:
            peer.pause_request()

    def resumeProducing(self) -> None:
        self._is_stalled = False
        self._restart_deadline()
        if (peer := self._peer) is not None:
            peer.resume_request()
