"""
A connection to an endpoint, in HTTP/1.1: one request at a time, its response streamed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ingress.deadline import NEVER
from ingress.errors import Outcome, PeerError, ResponseError
from ingress.http1.body import LAST_CHUNK, BodyDecoder, encode_chunk
from ingress.http1.head import HEAD_END, check_unfinished_response_head, parse_response_head
from ingress.message import Response

if TYPE_CHECKING:
    from twisted.internet.tcp import Connection

    from ingress.upstream.pool import EndpointPool

IDLE_TIMEOUT = 60.0
"""Seconds that an unused connection is kept: ``upstream-keepalive-timeout``."""

READ_TIMEOUT = 60.0
"""Seconds between two reads of a response: ``proxy-read-timeout``."""

SEND_TIMEOUT = 60.0
"""Seconds that an endpoint may leave a full send buffer as it is: ``proxy-send-timeout``."""


class ResponseTimeout(PeerError):
    """The endpoint is too slow (RFC 9110 section 15.6.5)."""

    status = 504
    outcome = Outcome.ENDPOINT_TIMEOUT


class ConnectionClosed(ResponseError):
    """The endpoint ended the connection before its response was whole."""


class ResponseReceiver(Protocol):
    """Who sent the request: told of its response as it comes."""

    def response_interim(self, response: Response) -> None:
        """A response of status 1xx; the final one is still to come."""

    def response_started(self, response: Response) -> None:
        """The head of the final response."""

    def response_body(self, data: bytes) -> None:
        """Some of its body; never empty."""

    def response_ended(self) -> None:
        """It is whole. The connection is no longer the receiver's."""

    def response_flush(self) -> None:
        """No more is at hand now: what was received may be sent on."""

    def upstream_failed(self, error: PeerError) -> None:
        """There will be no more of it. The connection is gone."""

    def pause_request(self) -> None:
        """The endpoint reads slower than the client sends."""

    def resume_request(self) -> None:
        """It has caught up."""


@implementer(IPushProducer)
class HTTP1Upstream(TwistedProtocol):
    """
    :param pool: where it goes when it has answered.
    :param on_connected: called once with it.
    """

    transport: Connection

    def __init__(self, pool: EndpointPool, on_connected: Callable[[HTTP1Upstream], None]) -> None:
        self.deadline = NEVER
        self.is_reused = False
        """Whether it has answered before: then the endpoint may have closed it meanwhile."""

        self.has_answered = False
        """Whether any byte of the response has come."""

        self._pool = pool
        self._on_connected: Callable[[HTTP1Upstream], None] | None = on_connected
        self._receiver: ResponseReceiver | None = None
        self._buffer = b""
        self._method = b""
        self._body: BodyDecoder | None = None
        self._keep_alive = True
        self._is_chunked = False
        self._is_request_sent = True
        self._is_response_paused = False
        """Whether the receiver wants no more of the response for now."""

        self._is_stalled = False
        """Whether the endpoint has left a full send buffer as it is."""

        self._is_closing = False

    def __repr__(self) -> str:
        state = "idle" if self._receiver is None else "busy"
        return f"<HTTP1Upstream {self._pool.endpoint} {state}>"

    # The exchange's side.

    def send_head(self, receiver: ResponseReceiver, method: bytes, head: bytes) -> None:
        """
        Begin a request without body.

        :param head: serialized, with its empty line.
        """
        self._start(receiver, method, is_chunked=False)
        self._is_request_sent = True
        self.transport.write(head)
        self._restart_deadline()

    def send_head_of_body(
        self, receiver: ResponseReceiver, method: bytes, head: bytes, *, is_chunked: bool
    ) -> None:
        """Begin a request whose body follows with `send_body` and `end_body`."""
        self._start(receiver, method, is_chunked=is_chunked)
        self._is_request_sent = False
        self.transport.write(head)

    def _start(self, receiver: ResponseReceiver, method: bytes, *, is_chunked: bool) -> None:
        self._receiver = receiver
        self._method = method
        self._is_chunked = is_chunked
        self._body = None
        self.has_answered = False

    def send_body(self, data: bytes) -> None:
        self.transport.write(encode_chunk(data) if self._is_chunked else data)

    def end_body(self) -> None:
        if self._is_chunked:
            self.transport.write(LAST_CHUNK)
        self._is_request_sent = True
        self._restart_deadline()

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
        self._receiver = None
        self.deadline = NEVER
        self.transport.abortConnection()

    def close(self) -> None:
        """End a connection that is not in use, when what is written has been sent."""
        self._is_closing = True
        self.deadline = self._pool.deadlines.now() + SEND_TIMEOUT
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
            self.deadline = self._pool.deadlines.now() + READ_TIMEOUT

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

    def _receive(self, receiver: ResponseReceiver, data: bytes) -> bytes:
        """Hand on what came; return what lies behind the end of the response."""
        while self._body is None:
            data = self._buffer + data
            end = data.find(HEAD_END)
            if end < 0:
                if data:
                    check_unfinished_response_head(data)
                self._buffer = data
                return b""
            end += len(HEAD_END)
            self._buffer = b""
            self._head(receiver, data[:end])
            data = data[end:]
            if self._receiver is not receiver:
                return b""
        body, rest = self._body.feed(data)
        if body:
            receiver.response_body(body)
        return rest

    def _head(self, receiver: ResponseReceiver, head: bytes) -> None:
        response, body = parse_response_head(head, self._method)
        if response.status >= 200:
            self._body = body
            self._keep_alive = response.keep_alive
            receiver.response_started(response)
        elif response.status == 101:
            raise ResponseError("The endpoint switched protocols unasked.")
        else:
            receiver.response_interim(response)

    def _complete(self, receiver: ResponseReceiver, rest: bytes) -> None:
        if self._receiver is not receiver:
            return
        self._receiver = None
        self._body = None
        if not self._is_request_sent or self._is_stalled or rest:
            # The endpoint has not read it all, or has sent what nobody asked for.
            self.deadline = NEVER
            self.transport.abortConnection()
        elif self._keep_alive:
            self.is_reused = True
            if self._is_response_paused:
                # By an interim response, and the receiver is gone that would go on.
                self._is_response_paused = False
                self.transport.resumeProducing()
            self.deadline = self._pool.deadlines.now() + IDLE_TIMEOUT
            self._pool.release(self)
        else:
            self.close()
        receiver.response_ended()

    def _fail(self, error: PeerError) -> None:
        receiver, self._receiver = self._receiver, None
        self.deadline = NEVER
        self.transport.abortConnection()
        if receiver is not None:
            receiver.upstream_failed(error)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """IProtocol."""
        self._pool.deadlines.forget(self)
        self._pool.lost(self)
        receiver, self._receiver = self._receiver, None
        if receiver is None:
            return
        # A reset is no end: what it cuts off would pass for the whole body.
        is_end = isinstance(reason.value, ConnectionDone)
        if is_end and self._body is not None and self._body.close():
            receiver.response_ended()
        else:
            receiver.upstream_failed(ConnectionClosed("The endpoint closed the connection."))

    def deadline_passed(self) -> None:
        """Timed."""
        if self._is_closing:
            self.transport.abortConnection()
        elif self._receiver is None:
            # Not later: until the reactor has closed it, somebody could still take it.
            self._pool.lost(self)
            self.close()
        else:
            self._fail(ResponseTimeout("The endpoint took too long."))

    # IPushProducer, of request bodies: the transport's own buffer is full, or empty again.

    def pauseProducing(self) -> None:
        self._is_stalled = True
        self.deadline = self._pool.deadlines.now() + SEND_TIMEOUT
        if self._receiver is not None:
            self._receiver.pause_request()

    def resumeProducing(self) -> None:
        self._is_stalled = False
        self._restart_deadline()
        if self._receiver is not None:
            self._receiver.resume_request()

    def stopProducing(self) -> None:
        """The connection is lost, which `connectionLost` handles."""
