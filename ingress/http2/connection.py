"""
A connection in HTTP/2, of either role: bytes in, calls of streams' users and bytes out.

The owner of a connection gives it what comes (`Connection.receive`), and sends what
`Connection.take` returns until that is empty, after each call of its own or of a stream's method. A
fault of the peer is handled here: `is_over` then says that the connection has ended, and that the
transport is to be closed once everything is sent. The owner says when the transport is full
(`Output.is_blocked`), and tells streams that they may go on (`Output.take_drained`).
"""

from __future__ import annotations

from collections.abc import Callable

from ingress.config import Limits
from ingress.http2.counts import HTTP2Counts
from ingress.http2.fault import (
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    NO_ERROR,
    PROTOCOL_ERROR,
    STREAM_CLOSED,
    ConnectionFault,
    StreamFault,
)
from ingress.http2.frame import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_HEADER,
    FRAME_SIZE,
    GOAWAY,
    HAS_PRIORITY,
    HEADERS,
    MAX_STREAM_ID,
    MAX_WINDOW,
    PADDED,
    PING,
    PRIORITY,
    PRIORITY_UPDATE,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    SETTINGS_ACK,
    WINDOW_UPDATE,
    goaway_frame,
    ping_frame,
    read_settings,
    read_word,
)
from ingress.http2.stream import NOBODY
from ingress.http2.stream_table import StreamTable


class Connection(StreamTable):
    """
    The part of a connection that both roles share: the frames.

    :ivar is_over: whether nothing more is read; the reason is in `fault`.
    """

    def __init__(self, limits: Limits, now: Callable[[], float], counts: HTTP2Counts) -> None:
        super().__init__(limits, now, counts)
        self.is_over = False
        self.fault: ConnectionFault | None = None
        self._waiting = b""
        """The beginning of a frame that is incomplete."""

        self._has_settings = False
        """Whether the peer's first frame, which is its SETTINGS, has come."""

        self._announced = -1
        """The code of our GOAWAY; negative if none was sent."""

        self._goodbye = -1
        """The code of the peer's GOAWAY; negative if none has come."""

        self._block_id = 0
        """The stream of a field block that is incomplete; 0 for none."""

        self._block: list[bytes] = []
        self._block_size = 0
        self._block_ends = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self.streams)} streams, last {self.last_id}>"

    # The owner's side.

    def receive(self, data: bytes) -> None:
        """Take bytes of the peer. Streams' users are called before this returns."""
        if self.is_over:
            return
        try:
            self._receive(data)
        except ConnectionFault as fault:
            self.fail(fault)

    def take(self) -> bytes:
        """
        :return: the bytes to be sent now; empty if there are none, or if they have to wait for
            windows or the transport (`Output.is_blocked`).
        """
        output = self.output
        out = output.take()
        if output.closed:
            self._look_at_closed()
            if output.has_some:
                # Frames that follow the end of a stream.
                out += output.take()
        return out

    @property
    def is_in_head(self) -> bool:
        """Whether a field block has begun and is incomplete."""
        return self._block_id > 0

    def ping(self, data: bytes) -> None:
        """
        Send a PING; `ping_acknowledged` is called when its answer comes.

        :param data: eight bytes.
        """
        if not self.is_over:
            self.output.last(ping_frame(data, is_ack=False))

    def fail(self, fault: ConnectionFault) -> None:
        """End the connection for a fault of the peer; streams are not told."""
        self.close(fault.code, str(fault).encode("ascii", "replace"))
        fault.__traceback__ = None
        self.fault = fault

    def close(self, code: int = NO_ERROR, detail: bytes = b"") -> None:
        """Send the last GOAWAY: nothing more is read."""
        if not self.is_over:
            self.is_over = True
            self._waiting = b""
            self._block = []
            self.output.is_blocked = False
            self._announce(self._answered_id(), code, detail)

    def _announce(self, last_id: int, code: int = NO_ERROR, detail: bytes = b"") -> None:
        """Send a GOAWAY; an end in several steps counts once."""
        if self._announced != code:
            self._announced = code
            self.counts.sent_goaway(code)
        self.output.last(goaway_frame(last_id, code, detail))

    def let_go(self) -> None:
        """The transport is gone, and the users of streams know: forget them all."""
        self.is_over = True
        for stream in list(self.streams.values()):
            stream.events = NOBODY
            self._forget(stream)
        self._waiting = b""
        self._block = []

    # Frames in.

    def _receive(self, data: bytes) -> None:
        if self._waiting:
            data = self._waiting + data
            self._waiting = b""
        position, end = 0, len(data)
        while end - position >= FRAME_HEADER:
            length = data[position] << 16 | data[position + 1] << 8 | data[position + 2]
            if length > FRAME_SIZE:
                raise ConnectionFault(FRAME_SIZE_ERROR, "A frame is larger than allowed.")
            start = position + FRAME_HEADER
            position = start + length
            if position > end:
                position = start - FRAME_HEADER
                break
            stream_id = (
                (data[start - 4] & 0x7F) << 24
                | data[start - 3] << 16
                | data[start - 2] << 8
                | data[start - 1]
            )
            try:
                self._frame(data[start - 6], data[start - 5], stream_id, data[start:position])
            except StreamFault as fault:
                self._stream_fault(stream_id, fault)
            if self.is_over:
                return
        self._waiting = data[position:] if position else data

    def _frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block_id and (kind != CONTINUATION or stream_id != self._block_id):
            raise ConnectionFault(PROTOCOL_ERROR, "A field block is interrupted.")
        if not self._has_settings:
            if kind != SETTINGS or flags & ACK:
                raise ConnectionFault(PROTOCOL_ERROR, "The first frame is not SETTINGS.")
            self._has_settings = True
        if kind == HEADERS:
            self._headers(flags, stream_id, payload)
        elif kind == DATA:
            self._data(flags, stream_id, payload)
        elif kind == WINDOW_UPDATE:
            self._window_update(stream_id, payload)
        elif kind == RST_STREAM:
            self._rst_stream(stream_id, payload)
        elif kind == SETTINGS:
            self._take_settings(flags, stream_id, payload)
        elif kind == PING:
            self._ping(flags, stream_id, payload)
        elif kind == CONTINUATION:
            self._continuation(flags, stream_id, payload)
        elif kind == PRIORITY:
            self._priority(stream_id, payload)
        elif kind == GOAWAY:
            self._goaway(stream_id, payload)
        elif kind == PRIORITY_UPDATE:
            self.guard.priority()
            if len(payload) < 4:
                raise ConnectionFault(FRAME_SIZE_ERROR, "PRIORITY_UPDATE is too short.")
            if stream_id:
                raise ConnectionFault(PROTOCOL_ERROR, "PRIORITY_UPDATE has a stream.")
            self._prioritise(payload)
        elif kind == PUSH_PROMISE:
            raise ConnectionFault(PROTOCOL_ERROR, "The peer pushes.")
        else:
            # RFC 9113 section 5.5: extensions that are unknown are ignored.
            self.guard.glitch("unknown_frame", self._now())

    def _headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id:
            raise ConnectionFault(PROTOCOL_ERROR, "HEADERS has no stream.")
        if flags & PADDED:
            payload = _without_padding(payload)
        if flags & HAS_PRIORITY:
            if len(payload) < 5:
                raise ConnectionFault(FRAME_SIZE_ERROR, "HEADERS is too short.")
            if read_word(payload)[0] & MAX_STREAM_ID == stream_id:
                raise ConnectionFault(PROTOCOL_ERROR, "A stream depends on itself.")
            payload = payload[5:]
        is_end = flags & END_STREAM != 0
        if flags & END_HEADERS:
            self._head(stream_id, payload, is_end=is_end)
            return
        self._block_id = stream_id
        self._block = [payload]
        self._block_size = len(payload)
        self._block_ends = is_end

    def _continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not self._block_id:
            raise ConnectionFault(PROTOCOL_ERROR, "CONTINUATION follows no field block.")
        self._block.append(payload)
        self._block_size += len(payload)
        if (
            not payload
            or len(self._block) > self.limits.http2_continuations + 1
            or self._block_size > 2 * self.limits.head_size
        ):
            self.guard.kinds["continuation"] += 1
            raise ConnectionFault(ENHANCE_YOUR_CALM, "A field block has too many frames.")
        if flags & END_HEADERS:
            block, self._block = b"".join(self._block), []
            self._block_id = 0
            self._head(stream_id, block, is_end=self._block_ends)

    def _data(self, flags: int, stream_id: int, payload: bytes) -> None:
        size = len(payload)
        if not stream_id or self._is_idle(stream_id):
            raise ConnectionFault(PROTOCOL_ERROR, "DATA comes on no open stream.")
        if not self._window.take(size):
            raise ConnectionFault(FLOW_CONTROL_ERROR, "The peer exceeds the connection's window.")
        data = _without_padding(payload) if flags & PADDED else payload
        stream = self.streams.get(stream_id)
        if stream is None or stream.ignores_input:
            self._return_credit(size)
            if stream is None:
                self._is_late(stream_id)
            return
        if stream.is_remote_closed:
            self._return_credit(size)
            raise StreamFault(STREAM_CLOSED, "DATA follows the end of its stream.")
        if not stream.window.take(size):
            self._return_credit(size)
            raise StreamFault(FLOW_CONTROL_ERROR, "The peer exceeds the stream's window.")
        is_end = flags & END_STREAM != 0
        if not data and not is_end:
            stream.empty_count += 1
            if stream.empty_count > self.limits.http2_empty_frames:
                self.guard.kinds["empty_data"] += 1
                raise ConnectionFault(ENHANCE_YOUR_CALM, "The peer sends empty DATA.")
        else:
            stream.empty_count = 0
        if size != len(data):
            self.return_credit(stream, size - len(data))
        self._take_data(stream, data, is_end)

    def _rst_stream(self, stream_id: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFault(FRAME_SIZE_ERROR, "RST_STREAM has not four bytes.")
        if not stream_id or self._is_idle(stream_id):
            raise ConnectionFault(PROTOCOL_ERROR, "RST_STREAM has no open stream.")
        stream = self.streams.get(stream_id)
        if stream is None:
            # Nothing more may come on it, whichever side has reset it first.
            self._reset_ids.pop(stream_id, None)
            self.guard.glitch("late_frame", self._now())
            return
        code: int = read_word(payload)[0]
        self.counts.received_reset(code)
        self._reset_received(stream, code)

    def _take_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFault(PROTOCOL_ERROR, "SETTINGS has a stream.")
        if flags & ACK:
            if payload:
                raise ConnectionFault(FRAME_SIZE_ERROR, "An acknowledgement has a payload.")
            return
        if len(payload) % 6:
            raise ConnectionFault(FRAME_SIZE_ERROR, "SETTINGS is cut off.")
        self.guard.control(self._now())
        if len(payload) > 6 * self.limits.http2_settings:
            self.guard.kinds["settings"] += 1
            raise ConnectionFault(ENHANCE_YOUR_CALM, "SETTINGS has too many entries.")
        settings = self.settings
        before = settings.initial_window
        if settings.apply(read_settings(payload)):
            self.output.announces_no_table = True
        change = settings.initial_window - before
        if change:
            for stream in self.streams.values():
                stream.send_window += change
                if stream.send_window > MAX_WINDOW:
                    raise ConnectionFault(FLOW_CONTROL_ERROR, "A window is too large.")
                self.output.window_changed(stream)
        self.output.control(SETTINGS_ACK)
        self.settings_received()

    def _ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFault(PROTOCOL_ERROR, "PING has a stream.")
        if len(payload) != 8:
            raise ConnectionFault(FRAME_SIZE_ERROR, "PING has not eight bytes.")
        if flags & ACK:
            self.ping_acknowledged(payload)
            return
        self.guard.control(self._now())
        self.output.control(ping_frame(payload, is_ack=True))

    def _goaway(self, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFault(PROTOCOL_ERROR, "GOAWAY has a stream.")
        if len(payload) < 8:
            raise ConnectionFault(FRAME_SIZE_ERROR, "GOAWAY is too short.")
        code: int = read_word(payload, 4)[0]
        if self._goodbye != code:
            self._goodbye = code
            self.counts.received_goaway(code)
        self.goaway_received(read_word(payload)[0] & MAX_STREAM_ID, code)

    def _priority(self, stream_id: int, payload: bytes) -> None:
        if not stream_id:
            raise ConnectionFault(PROTOCOL_ERROR, "PRIORITY has no stream.")
        self.guard.priority()
        if len(payload) != 5:
            raise StreamFault(FRAME_SIZE_ERROR, "PRIORITY has not five bytes.")
        if read_word(payload)[0] & MAX_STREAM_ID == stream_id:
            raise StreamFault(PROTOCOL_ERROR, "A stream depends on itself.")

    def _window_update(self, stream_id: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFault(FRAME_SIZE_ERROR, "WINDOW_UPDATE has not four bytes.")
        increment: int = read_word(payload)[0] & MAX_STREAM_ID
        self.guard.window_update()
        output = self.output
        if not stream_id:
            output.window += increment
            if not increment or output.window > MAX_WINDOW:
                code = FLOW_CONTROL_ERROR if increment else PROTOCOL_ERROR
                raise ConnectionFault(code, "The increment of a window is invalid.")
            return
        if self._is_idle(stream_id):
            raise ConnectionFault(PROTOCOL_ERROR, "WINDOW_UPDATE has no open stream.")
        stream = self.streams.get(stream_id)
        window = increment if stream is None else stream.send_window + increment
        if not increment or window > MAX_WINDOW:
            code = FLOW_CONTROL_ERROR if increment else PROTOCOL_ERROR
            raise StreamFault(code, "The increment of a window is invalid.")
        self._window_increased(stream_id, increment)


def _without_padding(payload: bytes) -> bytes:
    """:raises ConnectionFault: if the padding is longer than the frame."""
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault(PROTOCOL_ERROR, "The padding is longer than its frame.")
    return payload[1 : len(payload) - payload[0]]
