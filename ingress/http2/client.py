"""
A connection to an endpoint in HTTP/2: requests out, responses in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mypy_extensions import mypyc_attr

from ingress.config import Limits
from ingress.errors import ResponseError
from ingress.http2.connection import Connection
from ingress.http2.counts import HTTP2Counts
from ingress.http2.fault import (
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
    ConnectionFault,
    StreamFault,
)
from ingress.http2.frame import (
    DEFAULT_WINDOW,
    ENABLE_PUSH,
    MAX_HEADER_LIST_SIZE,
    MAX_STREAM_ID,
    PREFACE,
    settings_frame,
    window_update_frame,
)
from ingress.http2.response_head import ResponseHeads
from ingress.http2.settings import table_setting
from ingress.http2.stream import ANY_LENGTH, Stream, StreamEvents


@mypyc_attr(allow_interpreted_subclasses=True)
class ClientEvents:
    """Receives what concerns a whole connection. This base class ignores everything."""

    def settings_changed(self) -> None:
        """The endpoint's settings have come: `ClientConnection.room` may have changed."""

    def going_away(self, code: int) -> None:
        """
        The endpoint ends the connection: no further stream can be opened. Streams that it has not
        processed were reset with REFUSED_STREAM; the others go on.
        """

    def ping_answered(self, data: bytes) -> None:
        """The answer to a `Connection.ping` has come."""


_NOBODY: Final = ClientEvents()


class ClientConnection(Connection):
    """
    The client's role.

    Open streams while there is `room`. The user of a stream gets its response by its
    `StreamEvents`: `response_received`, `body_received`, `body_ended`.

    :param events: receives what concerns the connection.
    :param streams_at_first: how many are opened before the endpoint has said how many it takes. It
        may end those beyond that as faults of ours, which are not repeated (RFC 9113 section
        5.1.2).
    """

    def __init__(
        self,
        events: ClientEvents,
        limits: Limits,
        now: Callable[[], float],
        counts: HTTP2Counts,
        streams_at_first: int = 1,
    ) -> None:
        super().__init__(limits, now, counts)
        self.is_going_away = False
        """Whether the endpoint has sent GOAWAY."""

        self._events = events
        self._streams_at_first = streams_at_first
        self._heads = ResponseHeads(self._reader)
        self._next_id = 1
        self.output.last(
            PREFACE
            + settings_frame(
                (
                    (ENABLE_PUSH, 0),
                    (MAX_HEADER_LIST_SIZE, limits.head_size),
                    *table_setting(limits.http2_table_size),
                )
            )
            + window_update_frame(0, limits.http2_connection_window - DEFAULT_WINDOW)
        )

    # The owner's side.

    @property
    def room(self) -> int:
        """How many more streams may be opened now."""
        if self.is_over or self.is_going_away or self._next_id > MAX_STREAM_ID:
            return 0
        settings = self.settings
        most = settings.max_streams if settings.has_come else self._streams_at_first
        return max(0, most - len(self.streams))

    def open(
        self, events: StreamEvents, block: bytes, *, is_end: bool, is_of_head: bool = False
    ) -> Stream:
        """
        Open a stream and send the head of a request.

        :param events: receives the response; input is not paused.
        :param block: the encoded head, pseudo-fields first.
        :param is_end: whether the request has no body.
        :param is_of_head: whether the request's method is HEAD.
        """
        stream_id = self._next_id
        self._next_id += 2
        stream = Stream(self, stream_id, self.settings.initial_window, self._growth)
        stream.events = events
        stream.is_input_paused = False
        stream.is_of_head = is_of_head
        self.streams[stream_id] = stream
        self.guard.opened()
        stream.send_head(block, is_end=is_end)
        return stream

    def let_go(self) -> None:
        """Connection."""
        super().let_go()
        self._events = _NOBODY

    # Connection.

    def ping_acknowledged(self, data: bytes) -> None:
        self._events.ping_answered(data)

    def settings_received(self) -> None:
        if self.settings.asks_for_pushes:
            # RFC 9113 section 6.5.2.
            raise ConnectionFault(PROTOCOL_ERROR, "A server sets ENABLE_PUSH.")
        self._events.settings_changed()

    def goaway_received(self, last_id: int, code: int) -> None:
        self.is_going_away = True
        for stream in list(self.streams.values()):
            if stream.stream_id > last_id and not stream.is_closed:
                self.counts.refused += 1
                self._forget(stream)
                stream.events.stream_reset(REFUSED_STREAM)
        self._events.going_away(code)

    def _prioritise(self, payload: bytes) -> None:
        # RFC 9218 section 7.1.
        raise ConnectionFault(PROTOCOL_ERROR, "A server sends PRIORITY_UPDATE.")

    def _is_idle(self, stream_id: int) -> bool:
        return stream_id >= self._next_id or stream_id & 1 == 0

    def _answered_id(self) -> int:
        # An endpoint opens no streams, because we take no pushes.
        return 0

    def _head(self, stream_id: int, block: bytes, *, is_end: bool) -> None:
        if self._is_idle(stream_id):
            raise ConnectionFault(PROTOCOL_ERROR, "A head comes on no open stream.")
        stream = self.streams.get(stream_id)
        if stream is None:
            self._reader.skip(block)
            self._is_late(stream_id)
            return
        if stream.is_remote_closed:
            self._reader.skip(block)
            raise StreamFault(STREAM_CLOSED, "A head follows the end of its stream.")
        try:
            if stream.is_response_begun:
                self._trailers(stream, block, is_end)
            else:
                self._response(stream, block, is_end)
        except ResponseError as error:
            self._refuse(stream, error)

    def _response(self, stream: Stream, block: bytes, is_end: bool) -> None:
        response = self._heads.read(block, self.limits, is_of_head=stream.is_of_head)
        if response.status < 200:
            if is_end:
                raise ResponseError("An interim response ends its stream.")
            stream.events.interim_received(response)
            return
        length = response.body_length
        if is_end and length:
            raise ResponseError("The body is not as long as its Content-Length.")
        stream.is_response_begun = True
        stream.expected = ANY_LENGTH if length is None else length
        stream.is_remote_closed = is_end
        stream.events.response_received(response)
        if is_end and not stream.is_closed:
            stream.take_end()
            self._close_if_done(stream)

    def _trailers(self, stream: Stream, block: bytes, is_end: bool) -> None:
        trailers = self._reader.read_trailers(block, ResponseError)
        if not is_end:
            raise ResponseError("Trailers do not end the response.")
        if stream.expected > 0:
            raise ResponseError("The body is not as long as its Content-Length.")
        stream.trailers = trailers
        stream.is_remote_closed = True
        stream.take_end()
        self._close_if_done(stream)

    def _take_data(self, stream: Stream, data: bytes, is_end: bool) -> None:
        if not stream.is_response_begun:
            # RFC 9113 section 8.1. Nobody would know what it is a part of.
            self._return_credit(len(data))
            self._message_fault(stream, "Data precedes the response.")
            return
        super()._take_data(stream, data, is_end)

    def _close_if_done(self, stream: Stream) -> None:
        # A response that is whole may still wait for its reader.
        if stream.was_told:
            super()._close_if_done(stream)

    def _reset_received(self, stream: Stream, code: int) -> None:
        if stream.is_remote_closed:
            # RFC 9113 section 8.1: the rest of the request is not wanted, but the response counts.
            stream.is_ended = stream.is_local_closed = True
            self.output.forget(stream)
            self._close_if_done(stream)
        else:
            super()._reset_received(stream, code)

    def _message_fault(self, stream: Stream, detail: str) -> None:
        self._refuse(stream, ResponseError(detail))

    def _refuse(self, stream: Stream, error: ResponseError) -> None:
        """Reset a stream whose response is malformed."""
        events = stream.events
        self.reset(stream, PROTOCOL_ERROR)
        events.message_refused(error)
        self.guard.kinds["malformed"] += 1
        self.guard.reset(self._now())
