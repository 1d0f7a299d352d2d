"""
A client's connection in HTTP/2: requests in, responses out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mypy_extensions import mypyc_attr

from ingress.config import Limits
from ingress.errors import PeerError, RequestError
from ingress.http2.connection import Connection
from ingress.http2.counts import HTTP2Counts
from ingress.http2.fault import (
    NO_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
    ConnectionFault,
    StreamFault,
)
from ingress.http2.frame import (
    DEFAULT_WINDOW,
    ENABLE_CONNECT_PROTOCOL,
    MAX_CONCURRENT_STREAMS,
    MAX_HEADER_LIST_SIZE,
    MAX_STREAM_ID,
    NO_RFC7540_PRIORITIES,
    PREFACE,
    ping_frame,
    read_word,
    rst_stream_frame,
    settings_frame,
    window_update_frame,
)
from ingress.http2.priority import parse_priority
from ingress.http2.request_head import RequestHeads
from ingress.http2.settings import table_setting
from ingress.http2.stream import Stream
from ingress.message import Request

_SHUTDOWN_PING: Final = b"goingawy"
"""The PING whose answer tells that the client knows of the first GOAWAY."""


@mypyc_attr(allow_interpreted_subclasses=True)
class ServerEvents:
    """Receives the requests of a connection."""

    def request_received(self, stream: Stream, request: Request) -> None:
        """
        A request has begun. Set `Stream.events` before this returns, and call
        `Stream.resume_input` when its body may come, which may be later.
        """

    def request_refused(self, stream: Stream, error: PeerError) -> None:
        """
        A request is to be answered with an error. End the response with `refusal_code` as
        `reset_after`.
        """


_NOBODY: Final = ServerEvents()


def refusal_code(error: PeerError) -> int:
    """:return: the code to reset the stream with after the answer to a request that is refused."""
    # RFC 9113 sections 8.1.1 (malformed) and 8.1 (an answer to a request that is not whole).
    return PROTOCOL_ERROR if isinstance(error, RequestError) and error.status == 400 else NO_ERROR


def _media_type(request: Request) -> bytes:
    return request.field(b"content-type") or b""


class ServerConnection(Connection):
    """
    The server's role.

    :param events: receives the requests, when `begin` is called.
    :param max_streams: how many streams the client may have open at once.
    """

    def __init__(
        self,
        events: ServerEvents,
        limits: Limits,
        max_streams: int,
        now: Callable[[], float],
        counts: HTTP2Counts,
    ) -> None:
        super().__init__(limits, now, counts)
        self.last_id = -1
        self.is_leaving = False
        """Whether the first GOAWAY of an orderly end was sent."""

        self.has_left = False
        """Whether the second one was: no further stream is opened."""

        self._events = events
        self._max_streams = max_streams
        self._heads = RequestHeads(self._reader)
        self._preface = PREFACE
        """What is still to come of the client's preface."""

        self._new: list[tuple[Stream, Request | None]] = []
        """The requests that `begin` has not passed on; None where the stream has a refusal."""

        self._not_whole: dict[int, Request] = {}
        """Requests with a Content-Length of 0 whose END_STREAM is still to come."""

        self.output.last(
            settings_frame(
                (
                    (MAX_CONCURRENT_STREAMS, max_streams),
                    (MAX_HEADER_LIST_SIZE, limits.head_size),
                    (ENABLE_CONNECT_PROTOCOL, 1),
                    (NO_RFC7540_PRIORITIES, 1),
                    *table_setting(limits.http2_table_size),
                )
            )
            + window_update_frame(0, limits.http2_connection_window - DEFAULT_WINDOW)
        )

    # The owner's side.

    def receive(self, data: bytes) -> None:
        """Connection."""
        preface = self._preface
        if preface:
            size = min(len(preface), len(data))
            if data[:size] != preface[:size]:
                if not self.is_over:
                    self.fail(ConnectionFault(PROTOCOL_ERROR, "The preface is malformed."))
                return
            self._preface = preface[size:]
            data = data[size:]
        super().receive(data)

    @property
    def has_new(self) -> bool:
        """Whether `begin` has something to do."""
        return bool(self._new)

    def begin(self) -> None:
        """
        Pass on the requests that have come.

        Call it after a whole read, so that requests that were reset in the same read cost nothing.
        While the client leaves too much unread, they wait for a later call.
        """
        while self._new and self.output.has_room() and not self.output.is_blocked:
            new, self._new = self._new, []
            for stream, request in new:
                if stream.is_closed:
                    continue
                if request is not None:
                    self._events.request_received(stream, request)
                elif stream.refusal is not None:
                    refusal, stream.refusal = stream.refusal, None
                    self._events.request_refused(stream, refusal)

    def leave(self) -> None:
        """Begin an orderly end: streams that the client opens meanwhile are still served."""
        if not self.is_leaving and not self.is_over:
            self.is_leaving = True
            self._announce(MAX_STREAM_ID)
            self.output.last(ping_frame(_SHUTDOWN_PING, is_ack=False))

    def finish_leaving(self) -> None:
        """Say which stream was the last one; called a second after `leave` at the latest."""
        if not self.has_left and not self.is_over:
            self.is_leaving = self.has_left = True
            self._announce(self._answered_id())

    def let_go(self) -> None:
        """Connection."""
        super().let_go()
        self._new.clear()
        self._not_whole.clear()
        self._events = _NOBODY

    # Connection.

    def ping_acknowledged(self, data: bytes) -> None:
        if self.is_leaving and data == _SHUTDOWN_PING:
            self.finish_leaving()

    def _answered_id(self) -> int:
        return max(0, self.last_id)

    def _is_idle(self, stream_id: int) -> bool:
        return stream_id > self.last_id or stream_id & 1 == 0

    def _head(self, stream_id: int, block: bytes, *, is_end: bool) -> None:
        stream = self.streams.get(stream_id)
        if stream is not None:
            self._trailers(stream, block, is_end)
            return
        if stream_id & 1 == 0:
            raise ConnectionFault(PROTOCOL_ERROR, "A client's stream has an even number.")
        if stream_id <= self.last_id:
            self._reader.skip(block)
            self._is_late(stream_id)
            return
        if self.has_left:
            # RFC 9113 section 6.8: the client knows that it is not processed.
            self._reader.skip(block)
            return
        if stream_id > self.last_id + 2:
            self._has_gaps = True
        self.last_id = stream_id
        self.guard.opened()
        if len(self.streams) >= self._max_streams:
            self._reader.skip(block)
            self.guard.kinds["refused_stream"] += 1
            self._refuse_stream(stream_id)
            return
        self._open(stream_id, block, is_end)

    def _refuse_stream(self, stream_id: int) -> None:
        self._remember_reset(stream_id)
        self.counts.refused += 1
        self.counts.sent_reset(REFUSED_STREAM)
        self.output.control(rst_stream_frame(stream_id, REFUSED_STREAM))

    def _open(self, stream_id: int, block: bytes, is_end: bool) -> None:
        stream = Stream(self, stream_id, self.settings.initial_window, self._growth)
        self.streams[stream_id] = stream
        heads = self._heads
        try:
            request = heads.read(block, self.limits)
        except RequestError as error:
            stream.is_remote_closed = is_end
            stream.media_type = heads.refused_type()
            stream.line = heads.refused_line()
            stream.take_refusal(error)
            self._refused(stream, error)
            return
        if heads.priority is not None:
            stream.priority = heads.priority
            self.output.has_priorities = True
        if request.wants_websocket:
            # The body is what goes through the tunnel.
            if is_end or heads.has_length:
                stream.media_type = _media_type(request)
                self._message_fault(stream, "A request for a tunnel has no stream for it.")
                return
        elif is_end:
            # Its user knows that there is no body.
            stream.is_remote_closed = stream.was_told = True
            if request.body_length:
                stream.media_type = _media_type(request)
                self._message_fault(stream, "The body is not as long as its Content-Length.")
                return
        elif not heads.has_length:
            request = heads.with_body(request)
        else:
            stream.expected = request.body_length or 0
            if not stream.expected:
                # HTTP/1.1 has no way to take back that there is no body.
                self._not_whole[stream_id] = request
                return
        self._new.append((stream, request))

    def _trailers(self, stream: Stream, block: bytes, is_end: bool) -> None:
        if stream.ignores_input:
            self._reader.skip(block)
            return
        if stream.is_remote_closed:
            self._reader.skip(block)
            raise StreamFault(STREAM_CLOSED, "A head follows the end of its stream.")
        try:
            trailers = self._reader.read_trailers(block, RequestError)
        except RequestError as error:
            self._message_fault(stream, str(error))
            return
        if not is_end:
            self._message_fault(stream, "Trailers do not end the request.")
        elif stream.expected > 0:
            self._message_fault(stream, "The body is not as long as its Content-Length.")
        else:
            stream.trailers = trailers
            stream.is_remote_closed = True
            self._body_is_over(stream)
            self._close_if_done(stream)

    def _body_is_over(self, stream: Stream) -> None:
        if self._not_whole:
            request = self._not_whole.pop(stream.stream_id, None)
            if request is not None:
                stream.was_told = True
                self._new.append((stream, request))
                return
        stream.take_end()

    def _message_fault(self, stream: Stream, detail: str) -> None:
        error = RequestError(detail)
        request = self._not_whole.pop(stream.stream_id, None)
        if request is None:
            found = [new for new in self._new if new[0] is stream]
            if found:
                request = found[0][1]
                self._new = [new for new in self._new if new[0] is not stream]
        if request is not None:
            stream.media_type = _media_type(request)
        if stream.is_ended:
            # The answer did not wait for the body.
            stream.reset(PROTOCOL_ERROR)
        else:
            stream.take_refusal(error)
        self._refused(stream, error)

    def _refused(self, stream: Stream, error: RequestError) -> None:
        """A request is refused: answer it if nothing has begun, and count the fault."""
        if stream.refusal is not None:
            self._new.append((stream, None))
        if refusal_code(error) == PROTOCOL_ERROR:
            self.guard.kinds["malformed"] += 1
            self.guard.reset(self._now())

    def _reset_received(self, stream: Stream, code: int) -> None:
        super()._reset_received(stream, code)
        self._not_whole.pop(stream.stream_id, None)
        if not stream.is_head_sent:
            self.guard.reset(self._now())

    def _prioritise(self, payload: bytes) -> None:
        stream_id: int = read_word(payload)[0] & MAX_STREAM_ID
        if stream_id & 1 == 0:
            # RFC 9218 section 7.1: this includes pushes that were never promised.
            raise ConnectionFault(PROTOCOL_ERROR, "PRIORITY_UPDATE has no stream of the client.")
        stream = self.streams.get(stream_id)
        if stream is not None:
            stream.priority = parse_priority(payload[4:])
            self.output.has_priorities = True
