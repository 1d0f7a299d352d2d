"""
One request and its response on a shared connection to an endpoint, in HTTP/2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mypy_extensions import trait

from ingress.deadline import NEVER
from ingress.errors import PeerError, ResponseError, StreamRefused, StreamReset
from ingress.http1.body import Trailers
from ingress.http2.fault import CANCEL, ENHANCE_YOUR_CALM, NO_ERROR, REFUSED_STREAM
from ingress.http2.hpack_encoder import encode_fields
from ingress.http2.stream import Stream, StreamEvents
from ingress.message import Response, UpstreamRequest
from ingress.policy.proxy_settings import ProxySettings
from ingress.upstream.http2_request import encode_request
from ingress.upstream.stream import EndpointStream, StreamReceiver

_NOBODY: Final = StreamReceiver()
_DEFAULT_TIMEOUTS: Final = ProxySettings()
_PASSED_ON: Final = frozenset({CANCEL, ENHANCE_YOUR_CALM})
"""
Codes of an endpoint that say something about the request, as clients of gRPC understand them
(cancelled, exhausted). The others are about the connection to the endpoint, or no longer true when
a response has begun (REFUSED_STREAM): for the client they are INTERNAL_ERROR.
"""

MAX_INTERIM: Final = 100
"""Interim responses before the final one, as in HTTP/1.1."""


@trait
class SharedConnection:
    """The connection, as its streams see it."""

    at: float
    """The time of the input, or of the turn, in which streams are told something."""

    def open(
        self,
        user: HTTP2Stream,
        block: bytes,
        *,
        is_end: bool,
        is_of_head: bool,
    ) -> Stream:
        """Open a stream with the head of a request; `user` receives what comes on it."""
        raise NotImplementedError

    def flush_soon(self) -> None:
        """Something is to be sent."""
        raise NotImplementedError

    def touched(self, user: HTTP2Stream) -> None:
        """The receiver of a stream has got some of a body, and is to be flushed soon."""
        raise NotImplementedError

    def resume_soon(self, user: HTTP2Stream) -> None:
        """Pass on what a stream has held, but not before the caller has returned."""
        raise NotImplementedError

    def closed(self, user: HTTP2Stream, stream: Stream) -> None:
        """The stream is over."""
        raise NotImplementedError


class HTTP2Stream(EndpointStream, StreamEvents):
    """
    A stream. It is opened by `send_head`.

    :param connection: the connection.
    :param now: gives the time in seconds.
    :param is_secure: whether the connection uses TLS.
    :ivar deadline: when something must have come from the endpoint.
    """

    def __init__(
        self, connection: SharedConnection, now: Callable[[], float], *, is_secure: bool
    ) -> None:
        self.deadline = NEVER
        self._connection = connection
        self._now = now
        self._is_secure = is_secure
        self._receiver = _NOBODY
        self._stream: Stream | None = None
        self._timeouts = _DEFAULT_TIMEOUTS
        self._is_request_whole = False
        self._is_response_paused = False
        self._waits_for_windows = False
        """Whether the deadline is for some of the request that is still to be sent."""

        self._interim_count = 0

    def __repr__(self) -> str:
        return f"<HTTP2Stream {self._stream}>"

    # EndpointStream.

    def send_head(
        self, receiver: StreamReceiver, request: UpstreamRequest, timeouts: ProxySettings
    ) -> None:
        self._receiver = receiver
        self._timeouts = timeouts
        is_end = request.request.body_length == 0
        self._is_request_whole = is_end
        block = encode_request(request, is_secure=self._is_secure)
        self._stream = self._connection.open(
            self,
            block,
            is_end=is_end,
            is_of_head=request.method == b"HEAD",
        )
        self._restart_deadline()

    def send_body(self, data: bytes) -> None:
        stream = self._stream
        if stream is None:
            return
        if not stream.send_data(data):
            self._receiver.pause_request()
        self._restart_deadline()
        self._connection.flush_soon()

    def end_body(self, trailers: Trailers) -> None:
        self._is_request_whole = True
        if self._stream is not None:
            self._stream.end(encode_fields(trailers) if trailers else b"")
            if not self._waits_for_windows:
                self._restart_deadline()
            self._connection.flush_soon()

    def pause_response(self) -> None:
        self._is_response_paused = True
        if self._stream is not None:
            self._stream.pause_input()
        self._restart_deadline()

    def resume_response(self) -> None:
        self._is_response_paused = False
        self._connection.resume_soon(self)
        self._restart_deadline()

    def abandon(self) -> None:
        # Only the stream ends: other requests share the connection.
        stream = self._forget()
        if stream is not None:
            stream.reset(CANCEL)
            self._connection.flush_soon()

    # The connection's side.

    def resume(self) -> None:
        """Pass on what was held, unless the receiver has paused again."""
        if self._stream is not None and not self._is_response_paused:
            self._stream.resume_input()

    def flush(self) -> None:
        """Tell the receiver that nothing more is at hand."""
        self._receiver.response_flush()

    @property
    def has_all(self) -> bool:
        """Whether the whole response has come, which its receiver may be too slow to have got."""
        return self._stream is not None and self._stream.is_remote_closed

    def fail(self, error: PeerError) -> None:
        """The connection has ended."""
        receiver = self._receiver
        self._forget()
        receiver.stream_failed(error)

    def has_expired(self, now: float) -> bool:
        """:return: whether the endpoint has been too slow."""
        stream = self._stream
        if self._waits_for_windows and stream is not None and not stream.queued:
            # Nobody says when the last of a body is sent.
            self._restart_deadline()
        return self.deadline <= now

    def expire(self, error: PeerError) -> None:
        """The endpoint is too slow: end the stream, and not the connection."""
        receiver = self._receiver
        self.abandon()
        receiver.stream_failed(error)

    # StreamEvents.

    def interim_received(self, response: Response) -> None:
        self._interim_count += 1
        if self._interim_count > MAX_INTERIM:
            self.expire(ResponseError("The endpoint sends interim responses without end."))
            return
        self._restart_deadline(self._connection.at)
        self._receiver.response_interim(response)

    def response_received(self, response: Response) -> None:
        self._restart_deadline(self._connection.at)
        self._receiver.response_started(response)
        if self._stream is not None:
            self._connection.touched(self)

    def body_received(self, data: bytes) -> None:
        self._receiver.response_body(data)
        self._restart_deadline(self._connection.at)
        self._connection.touched(self)

    def body_ended(self, trailers: Trailers) -> None:
        receiver = self._receiver
        stream = self._forget()
        if stream is not None and not self._is_request_whole:
            # RFC 9113 section 8.1: nobody reads the rest of the request.
            stream.reset(NO_ERROR)
            self._connection.flush_soon()
        receiver.response_ended(trailers)

    def message_refused(self, error: PeerError) -> None:
        receiver = self._receiver
        self._forget()
        receiver.stream_failed(error)

    def stream_reset(self, code: int) -> None:
        receiver = self._receiver
        self._forget()
        receiver.stream_failed(refusal(code))

    def output_drained(self) -> None:
        self._restart_deadline()
        self._receiver.resume_request()

    def _forget(self) -> Stream | None:
        """:return: the stream, which is over for its receiver."""
        stream, self._stream = self._stream, None
        self._receiver = _NOBODY
        self.deadline = NEVER
        if stream is not None:
            self._connection.closed(self, stream)
        return stream

    def _restart_deadline(self, now: float = 0.0) -> None:
        """
        Give the endpoint its whole time. While the client may still send, or reads slowly, the wait
        is for the client, whose stream has a deadline of its own.

        :param now: the time in seconds, if it is known.
        """
        stream = self._stream
        self._waits_for_windows = False
        if stream is None or self._is_response_paused:
            self.deadline = NEVER
        elif stream.queued:
            self._waits_for_windows = True
            self.deadline = (now or self._now()) + self._timeouts.send_timeout
        elif self._is_request_whole:
            self.deadline = (now or self._now()) + self._timeouts.read_timeout
        else:
            self.deadline = NEVER


def refusal(code: int) -> PeerError:
    """
    :param code: that of a RST_STREAM.
    :return: the error for the call; it says whether the endpoint has looked at the request.
    """
    if code == REFUSED_STREAM:
        return StreamRefused("The endpoint refused the stream.")
    return StreamReset("The endpoint reset the stream.", code if code in _PASSED_ON else 0)
