"""
A connection to an endpoint, in HTTP/1.1: one request at a time, its response streamed.

`ingress.upstream.http1_state` has the states and their order.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from ingress.deadline import NEVER
from ingress.errors import (
    EndpointClosed,
    EndpointTimeout,
    PeerError,
    ResponseError,
    StaleConnection,
)
from ingress.http1.body import LAST_CHUNK, BodyDecoder, Trailers, encode_chunk
from ingress.http1.encoder import encode_request_head
from ingress.http1.head import EMPTY_BODY, is_websocket
from ingress.http1.response_head import ResponseHeads
from ingress.message import Request, UpstreamRequest
from ingress.policy.proxy_settings import ProxySettings
from ingress.transports.stream import StreamProtocol
from ingress.upstream.connection import ConnectionOwner, EndpointConnection
from ingress.upstream.http1_detail import delay, ending
from ingress.upstream.http1_state import UpstreamState
from ingress.upstream.stream import StreamReceiver

_DEFAULT_TIMEOUTS: Final = ProxySettings()
_NOBODY: Final = StreamReceiver()
"""Stands in the place of a receiver between two streams."""

# Reading a member of an enumeration costs as much as a call (Python 3.11).
_IDLE: Final = UpstreamState.IDLE
_SENDING: Final = UpstreamState.SENDING
_WAITING: Final = UpstreamState.WAITING
_TUNNELLING: Final = UpstreamState.TUNNELLING
_CLOSING: Final = UpstreamState.CLOSING
_LOST: Final = UpstreamState.LOST

MAX_INTERIM: Final = 100
"""
Interim responses before the final one. One 102 (Processing) every 20 s is usual (RFC 2518 section
10.1), which allows for half an hour of them; of other statuses there are a few.
"""


class HTTP1Upstream(EndpointConnection, StreamProtocol):
    """
    One connection to an endpoint. It is the EndpointStream of the request under way.

    :param owner: the pool, which gets the connection back after a response.
    :param receiver: waits for the connection; `stream_acquired` is called once.
    """

    def __init__(self, owner: ConnectionOwner, receiver: StreamReceiver) -> None:
        self.deadline = NEVER
        self.state = _IDLE
        self._unsent = 0
        self._owner = owner
        self._time = owner.deadlines.time
        self.made_at = self._time.now
        self._receiver = receiver
        """The receiver of the stream under way; between two streams it ignores everything."""

        self._request: Request | None = None
        """The request under way, for its framing."""

        self._has_served = False
        """Whether a request was answered before, so that the endpoint may have closed it since."""

        self._has_answered = False
        """Whether a byte of the response under way has come."""

        self._is_response_paused = False
        """Whether the receiver wants no more of the response for now."""

        self._is_stalled = False
        """Whether the send buffer is full because the endpoint does not read."""

        self._may_skip_body = False
        """Whether the endpoint may answer and ignore a body that is then sent all the same."""

        self._keep_alive = True
        self._may_send_more = False
        """Whether the endpoint may send a body that the response must not have, and then close."""

        self._buffer = b""
        self._interim_count = 0
        self._body: BodyDecoder | None = None
        """Decodes the body of the response; None until its head has come."""

        self._timeouts = _DEFAULT_TIMEOUTS

    def __repr__(self) -> str:
        return f"<HTTP1Upstream {self._owner.endpoint} {self.state.name}>"

    # EndpointStream.

    def send_head(
        self, receiver: StreamReceiver, request: UpstreamRequest, timeouts: ProxySettings
    ) -> None:
        framing = request.request
        self._receiver = receiver
        self._request = framing
        self._timeouts = timeouts
        self._body = None
        self._interim_count = 0
        self._has_answered = False
        self._keep_alive = request.connection != b"close"
        if framing.body_length == 0:
            self.state = _WAITING
            self._may_skip_body = False
            self.deadline = self._time.now + timeouts.read_timeout
        else:
            self.state = _SENDING
            self._may_skip_body = framing.field(b"expect") is not None
            self.deadline = NEVER
        self.transport.write(encode_request_head(request))

    def send_body(self, data: bytes) -> None:
        self.transport.write(encode_chunk(data) if self._is_chunked else data)

    def end_body(self, trailers: Trailers) -> None:
        # Trailers are dropped, because many endpoints take them for fields of the head.
        if self._is_chunked:
            self.transport.write(LAST_CHUNK)
        if self.state is _SENDING:
            self.state = _WAITING
        self._restart_deadline()

    def pause_response(self) -> None:
        self._is_response_paused = True
        self.transport.pauseProducing()
        self._restart_deadline()

    def resume_response(self) -> None:
        self._is_response_paused = False
        self.transport.resumeProducing()
        self._restart_deadline()

    def abandon(self) -> None:
        # In HTTP/1.1 a stream that is half done can only end with its connection.
        self._forget_stream()
        self._reset()

    def send_raw(self, data: bytes) -> None:
        self.transport.write(data)
        self._restart_deadline()

    def end_raw(self) -> None:
        self.transport.loseWriteConnection()

    def close_tunnel(self) -> None:
        self._forget_stream()
        self.close()

    # EndpointConnection.

    def has_input(self) -> bool:
        return self.transport.has_input()

    def close(self) -> None:
        self.state = _CLOSING
        self._restart_deadline()
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    # Twisted's side.

    def connectionMade(self) -> None:
        """IProtocol."""
        self.transport.registerProducer(self, True)
        self._owner.deadlines.watch(self)
        receiver, self._receiver = self._receiver, _NOBODY
        receiver.stream_acquired(self)

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        receiver, state = self._receiver, self.state
        if state is _TUNNELLING:
            receiver.tunnel_received(data)
            self._restart_deadline()
            return
        if state is not _WAITING and state is not _SENDING:
            # An endpoint that sends something without a request is not trusted to answer the next
            # request.
            self._owner.lost(self)
            self._reset()
            return
        self._has_answered = True
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
        elif self.state is _TUNNELLING:
            if rest:
                self._receiver.tunnel_received(rest)
            self._restart_deadline()

    def _receive(self, receiver: StreamReceiver, data: bytes) -> bytes:
        """Pass on what came; return the bytes that follow the end of the response."""
        while self._body is None:
            checked = len(self._buffer)
            if checked:
                data = self._buffer + data
            owner, request = self._owner, self._request
            assert request is not None
            end = owner.heads.read(data, checked, request.method, owner.limits)
            if end < 0:
                self._buffer = data
                return b""
            self._buffer = b""
            data = data[end:]
            is_whole = self._head(receiver, request, owner.heads, len(data))
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

    def _head(
        self, receiver: StreamReceiver, request: Request, heads: ResponseHeads, following: int
    ) -> bool:
        """
        Handle the head of a response.

        :param heads: has just read it.
        :param following: the number of bytes that came with it.
        :return: whether these are the whole body, as they mostly are.
        """
        response = heads.response
        if response.status >= 200:
            is_whole = response.body_length == following
            self._body = EMPTY_BODY if is_whole else heads.new_body()
            # An endpoint that ignored the body could take it for its next request.
            keep_alive = response.keep_alive and self._keep_alive
            self._keep_alive = keep_alive and not self._may_skip_body
            if not keep_alive:
                self._may_send_more = request.method == b"HEAD" or response.status in (204, 304)
            receiver.response_started(response)
            return is_whole
        if response.status == 101:
            if not request.wants_websocket or not is_websocket(response):
                raise ResponseError("The endpoint switched to a protocol that was not asked for.")
            self.state = _TUNNELLING
            self._receiver = receiver.switched(response)
        else:
            self._interim_count += 1
            if self._interim_count > MAX_INTERIM:
                raise ResponseError("The endpoint sends interim responses without end.")
            self._may_skip_body &= response.status != 100
            receiver.response_interim(response)
        return False

    def _complete(self, receiver: StreamReceiver, rest: bytes) -> None:
        if self._receiver is not receiver:
            return
        trailers = self._body.trailers if self._body is not None else ()
        is_request_sent = self.state is _WAITING
        self._forget_stream()
        if not is_request_sent or self._is_stalled or rest:
            # The endpoint has not read the whole request, or has sent more than a response.
            self._reset()
        elif self._keep_alive:
            self.state = _IDLE
            self._has_served = True
            if self._is_response_paused:
                # An interim response caused the pause, and its receiver cannot end it any more.
                self._is_response_paused = False
                self.transport.resumeProducing()
            self._restart_deadline()
            self._owner.release(self)
        elif self._may_send_more:
            # Not closed, because a closed connection keeps its port for a minute: the ports would
            # last for 500 HEAD a second.
            self._reset()
        else:
            self.close()
        receiver.response_ended(trailers)

    # Endings.

    def _forget_stream(self) -> None:
        self._receiver = _NOBODY
        self._request = None
        self._body = None

    def _reset(self) -> None:
        self.state = _LOST
        self.deadline = NEVER
        self.transport.abortConnection()

    def _fail(self, error: PeerError) -> None:
        receiver = self._receiver
        self._forget_stream()
        self._reset()
        receiver.stream_failed(error)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """IProtocol."""
        self._owner.deadlines.forget(self)
        # A reset is no orderly end: a body that it cuts off must not pass for a whole one.
        self._ended(is_end=isinstance(reason.value, ConnectionDone))
        self.state = _LOST

    def _ended(self, *, is_end: bool) -> None:
        """
        Handle the end of the input.

        :param is_end: whether the endpoint ended it in an orderly way.
        """
        self._owner.lost(self)
        receiver, body, state = self._receiver, self._body, self.state
        detail = ending(state, self._buffer, body, is_end=is_end)
        self._forget_stream()
        if is_end and (state is _TUNNELLING or (body is not None and body.close())):
            receiver.response_ended(())
        elif self._has_served and not self._has_answered:
            receiver.stream_failed(StaleConnection(detail))
        else:
            receiver.stream_failed(EndpointClosed(detail))

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol: the endpoint sends no more."""
        if self.state is _TUNNELLING:
            self._receiver.endpoint_finished()
        else:
            # No response can come to the rest of the request.
            self._ended(is_end=True)
            self.close()

    # Deadlines.

    def _patience(self) -> float:
        """Return for how many seconds the current state may last; NEVER without a bound."""
        state = self.state
        if self._is_stalled or state is _CLOSING:
            return self._timeouts.send_timeout
        if state is _IDLE:
            return self._owner.idle_timeout
        if self._is_response_paused or state is _SENDING or state is _LOST:
            # The wait is for the client, whose connection has a deadline of its own.
            return NEVER
        return self._timeouts.read_timeout

    def _restart_deadline(self) -> None:
        """Give the current state its whole time; that of a stalled endpoint goes on running."""
        if not self._is_stalled or self.state is _CLOSING:
            self.deadline = self._time.now + self._patience()

    def deadline_passed(self) -> None:
        """Timed."""
        state = self.state
        if state is _CLOSING:
            self._reset()
        elif state is _IDLE:
            # At once, because a call could take the connection until the reactor has closed it.
            self._owner.lost(self)
            self.close()
        elif self._is_stalled and self.has_peer_read():
            self.deadline = self._time.now + self._patience()
        else:
            self._fail(EndpointTimeout(delay(state, self._body, is_stalled=self._is_stalled)))

    # IPushProducer, of request bodies: the transport's buffer is full, or empty again.

    def pauseProducing(self) -> None:
        self._is_stalled = True
        self.has_peer_read()
        self.deadline = self._time.now + self._patience()
        self._receiver.pause_request()

    def resumeProducing(self) -> None:
        self._is_stalled = False
        self._restart_deadline()
        self._receiver.resume_request()

    @property
    def _is_chunked(self) -> bool:
        """Whether the body of the request under way is sent in chunks."""
        return self._request is not None and self._request.body_length is None
