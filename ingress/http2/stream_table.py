"""
The streams of a connection: their input and output, and how they end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ingress.config import Limits
from ingress.http2.counts import HTTP2Counts
from ingress.http2.fault import (
    NO_ERROR,
    PROTOCOL_ERROR,
    STREAM_CLOSED,
    ConnectionFault,
    StreamFault,
)
from ingress.http2.field_check import BlockReader
from ingress.http2.flow import ReceiveWindow, SharedGrowth
from ingress.http2.frame import rst_stream_frame, window_update_frame
from ingress.http2.guard import Guard
from ingress.http2.output import Output
from ingress.http2.settings import PeerSettings
from ingress.http2.stream import Stream, StreamOwner

_KEPT_RESETS: Final = 256
"""
How many streams that we have reset are remembered: what the peer had sent on them before it knew
is no fault.
"""


class StreamTable(StreamOwner):
    """
    The streams of one connection.

    :param limits: bounds heads; may be replaced at any time.
    :param now: the time in seconds.
    :param counts: those of all connections of this side.
    :ivar streams: the open streams, by number.
    :ivar last_id: the highest stream that the peer has opened.
    :ivar settings: what the peer has said.
    """

    def __init__(self, limits: Limits, now: Callable[[], float], counts: HTTP2Counts) -> None:
        self.limits = limits
        self.streams: dict[int, Stream] = {}
        self.last_id = 0
        self.settings = PeerSettings()
        self.counts = counts
        self.guard = Guard(limits, counts.glitches)
        self.output = Output(self.guard, now, limits)
        self._now = now
        self._reader = BlockReader(limits.http2_table_size, limits.http2_trailer_size)
        window = limits.http2_connection_window
        self._growth = SharedGrowth(window, limits.http2_stream_window)
        self._window = ReceiveWindow(window, None)
        self._reset_ids: dict[int, None] = {}
        self._has_gaps = False
        """Whether the peer has left out numbers of streams, which are then closed as well."""

    @property
    def stream_count(self) -> int:
        """OpenConnection."""
        return len(self.streams)

    # StreamOwner.

    def head_queued(self, stream: Stream, block: bytes, *, is_end: bool) -> None:
        self.output.head(stream, block, is_end=is_end)

    def data_queued(self, stream: Stream, size: int) -> bool:
        return self.output.data(stream, size)

    def end_queued(self, stream: Stream) -> None:
        self.output.end(stream)

    def reset(self, stream: Stream, code: int) -> None:
        self._forget(stream)
        self._remember_reset(stream.stream_id)
        self.counts.sent_reset(code)
        self.output.last(rst_stream_frame(stream.stream_id, code))

    def return_credit(self, stream: Stream, size: int) -> None:
        if not stream.is_closed and not stream.is_remote_closed:
            increment = stream.window.give_back(size)
            if increment:
                self.output.last(window_update_frame(stream.stream_id, increment))
        self._return_credit(size)

    def end_told(self, stream: Stream) -> None:
        self._close_if_done(stream)

    # What the roles add.

    def ping_acknowledged(self, data: bytes) -> None:
        """The answer to a PING of ours has come."""

    def settings_received(self) -> None:
        """The peer's settings have come, or changed."""

    def goaway_received(self, last_id: int, code: int) -> None:
        """The peer ends the connection: streams above `last_id` were not processed."""

    def _head(self, stream_id: int, block: bytes, *, is_end: bool) -> None:
        """A whole field block has come."""
        raise NotImplementedError

    def _is_idle(self, stream_id: int) -> bool:
        """Return whether a stream has not been opened yet."""
        raise NotImplementedError

    def _message_fault(self, stream: Stream, detail: str) -> None:
        """A message turned out to be malformed after its head."""
        raise NotImplementedError

    def _body_is_over(self, stream: Stream) -> None:
        """The message is whole."""
        stream.take_end()

    def _reset_received(self, stream: Stream, code: int) -> None:
        """The peer has reset a stream."""
        self._forget(stream)
        stream.events.stream_reset(code)

    def _prioritise(self, payload: bytes) -> None:
        """A PRIORITY_UPDATE frame has come (RFC 9218 section 7.1)."""

    def _answered_id(self) -> int:
        """:return: the number for the last GOAWAY."""
        return self.last_id

    # Input.

    def _take_data(self, stream: Stream, data: bytes, is_end: bool) -> None:
        """Take the payload of a DATA frame that is within its windows."""
        size = len(data)
        if stream.expected >= 0:
            stream.expected -= size
            if stream.expected < 0 or (is_end and stream.expected):
                self._return_credit(size)
                self._message_fault(stream, "The body is not as long as its Content-Length.")
                return
        if is_end:
            stream.is_remote_closed = True
        if data:
            stream.take(data)
        if is_end and not stream.is_closed:
            self._body_is_over(stream)
            self._close_if_done(stream)

    def _return_credit(self, size: int) -> None:
        """Bytes on any stream are read, or dropped."""
        increment = self._window.give_back(size)
        if increment:
            self.output.last(window_update_frame(0, increment))

    def _window_increased(self, stream_id: int, increment: int) -> None:
        """A WINDOW_UPDATE of a stream has come."""
        stream = self.streams.get(stream_id)
        if stream is not None:
            stream.send_window += increment
            self.output.window_changed(stream)
        # Else it has crossed the end of the stream.

    def _is_late(self, stream_id: int) -> None:
        """
        Something has come on a stream that is closed.

        :raises ConnectionFault: if the peer knew that.
        """
        if stream_id in self._reset_ids:
            return
        if self._has_gaps:
            raise ConnectionFault(PROTOCOL_ERROR, "A stream has a lower number than another one.")
        raise ConnectionFault(STREAM_CLOSED, "A frame follows the end of its stream.")

    # Endings.

    def _look_at_closed(self) -> None:
        """Forget the streams that are over with our END_STREAM, and reset those that are to be."""
        closed, self.output.closed = self.output.closed, []
        for stream in closed:
            if stream.is_closed:
                continue
            code = stream.reset_after
            if code > NO_ERROR or (code == NO_ERROR and not stream.is_remote_closed):
                self.reset(stream, code)
            else:
                self._close_if_done(stream)

    def _close_if_done(self, stream: Stream) -> None:
        if stream.is_local_closed and stream.is_remote_closed and not stream.is_closed:
            self._forget(stream)

    def _forget(self, stream: Stream) -> None:
        """The stream is over."""
        if stream.is_closed:
            return
        stream.is_closed = True
        # Compiled, this costs half as much as `pop`; so it is where else streams are forgotten.
        if stream.stream_id in self.streams:
            del self.streams[stream.stream_id]
        self.output.forget(stream)
        stream.window.close()
        if stream.held_size:
            size, stream.held_size = stream.held_size, 0
            stream.held = []
            self._return_credit(size)

    def _remember_reset(self, stream_id: int) -> None:
        """We reset this stream: what still comes on it is no fault."""
        if len(self._reset_ids) >= _KEPT_RESETS:
            del self._reset_ids[next(iter(self._reset_ids))]
        self._reset_ids[stream_id] = None

    def _stream_fault(self, stream_id: int, fault: StreamFault) -> None:
        """Reset a stream for a fault of the peer, which spends what it has for resets."""
        stream = self.streams.get(stream_id)
        self.guard.kinds["stream_fault"] += 1
        if stream is None:
            if stream_id not in self._reset_ids:
                self.counts.sent_reset(fault.code)
                self.output.control(rst_stream_frame(stream_id, fault.code))
        else:
            events = stream.events
            self.reset(stream, fault.code)
            events.stream_reset(fault.code)
        self.guard.reset(self._now())

    def unfinishable(self) -> list[Stream]:
        """
        :return: the streams that cannot end where the peer sends no more: the rest of a message, or
            a larger window, will not come.
        """
        waits = not self.output.is_blocked
        return [
            each
            for each in self.streams.values()
            if not each.is_remote_closed or (waits and each.queued)
        ]

    def stalled(self, before: float) -> list[Stream]:
        """:return: the streams that have had something to send since then, and sent nothing."""
        if self.output.is_blocked:
            return []
        return [each for each in self.streams.values() if each.waits_since < before]
