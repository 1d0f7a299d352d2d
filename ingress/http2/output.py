"""
What a connection has to send: control frames and heads at once, DATA by windows and priorities.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ingress.config import Limits
from ingress.http2.fault import ENHANCE_YOUR_CALM, NO_ERROR, ConnectionFault
from ingress.http2.frame import (
    DATA,
    DEFAULT_WINDOW,
    END_STREAM,
    FRAME_SIZE,
    frame_header,
    headers_frames,
)
from ingress.http2.guard import Guard
from ingress.http2.hpack_encoder import NO_TABLE
from ingress.http2.stream import NOT_WAITING, Stream

TAKEN_AT_ONCE: Final = 64 * 1024
"""Bytes of DATA that one `take` returns at most; after that the transport may be full."""

MAX_WAIT: Final = 1.0
"""Seconds after which a stream gets a frame, whatever the urgency of others."""


class Output:
    """
    The output of one connection.

    :param guard: counts frames.
    :param now: the time in seconds.
    :param limits: bounds what waits for a peer that does not read.
    :ivar window: how many bytes of DATA the peer takes on all streams.
    :ivar is_blocked: whether the transport is full: DATA waits, and control frames are counted.
    :ivar queued: bytes of bodies that wait, of all streams.
    """

    __slots__ = (
        "_drained",
        "_frames",
        "_guard",
        "_most_queued",
        "_most_unsent",
        "_now",
        "_ready",
        "_unsent",
        "announces_no_table",
        "closed",
        "has_priorities",
        "is_blocked",
        "queued",
        "window",
    )

    def __init__(self, guard: Guard, now: Callable[[], float], limits: Limits) -> None:
        self.window = DEFAULT_WINDOW
        self.is_blocked = False
        self.queued = 0
        self.has_priorities = False
        """Whether any stream has had a priority; until then all take turns."""

        self.announces_no_table = False
        """Whether the next block begins with the size of our table."""

        self.closed: list[Stream] = []
        """Streams whose END_STREAM was sent, until the connection has looked at them."""

        self._guard = guard
        self._now = now
        self._most_unsent = limits.http2_unread_answers
        self._most_queued = limits.http2_queue - TAKEN_AT_ONCE
        """Bytes queued for all streams at which none may queue more."""

        self._frames: list[bytes] = []
        self._unsent = 0
        self._ready: list[Stream] = []
        """The streams that have DATA and a window, in the order of their turns."""

        self._drained: list[Stream] = []

    def __repr__(self) -> str:
        return f"<Output window={self.window} queued={self.queued} ready={len(self._ready)}>"

    def has_room(self) -> bool:
        """:return: whether bodies may be queued without exceeding the connection's bound."""
        return self.queued < self._most_queued

    @property
    def has_some(self) -> bool:
        """Whether `take` may have something to return."""
        return bool(self._frames or self._ready)

    # Frames that wait for no window.

    def control(self, frame: bytes) -> None:
        """
        Send a control frame.

        :raises ConnectionFault: if too many wait because the peer does not read.
        """
        self._frames.append(frame)
        if self.is_blocked:
            self._unsent += 1
            if self._unsent > self._most_unsent:
                self._guard.kinds["unread_answers"] += 1
                raise ConnectionFault(ENHANCE_YOUR_CALM, "The peer does not read what it asks for.")

    def last(self, frame: bytes) -> None:
        """Send the frame that ends the connection."""
        self._frames.append(frame)

    def head(self, stream: Stream, block: bytes, *, is_end: bool) -> None:
        """Send a field block."""
        if self.announces_no_table:
            self.announces_no_table = False
            block = NO_TABLE + block
        self._frames.append(headers_frames(stream.stream_id, block, is_end=is_end))
        self._guard.sent_head()
        stream.is_head_sent = True
        if is_end:
            stream.is_ended = True
            self._end(stream)

    # Bodies.

    def data(self, stream: Stream, size: int) -> bool:
        """
        :param size: bytes that the stream has put in its queue.
        :return: whether it may queue more before all of that is sent.
        """
        self.queued += size
        if not stream.is_queued and stream.send_window > 0:
            stream.is_queued = True
            self._ready.append(stream)
        if not (
            self.is_blocked
            or self.queued > self.window
            or self.queued >= self._most_queued
            or stream.queued > stream.send_window
        ):
            return True
        stream.is_output_full = True
        if stream.waits_since == NOT_WAITING:
            stream.waits_since = self._now()
        return False

    def end(self, stream: Stream) -> None:
        """The stream's output is complete."""
        if not stream.queued:
            self._send_end(stream)

    def window_changed(self, stream: Stream) -> None:
        """The peer takes more of a stream, or less."""
        if stream.send_window <= 0:
            if stream.is_queued:
                # SETTINGS may take away what was announced, and more (RFC 9113 section 6.9.2).
                stream.is_queued = False
                self._ready.remove(stream)
                if stream.waits_since == NOT_WAITING:
                    stream.waits_since = self._now()
        elif stream.queued and not stream.is_queued:
            stream.is_queued = True
            self._ready.append(stream)

    def forget(self, stream: Stream) -> None:
        """The stream is over: nothing of its queue is sent."""
        if stream.is_queued:
            stream.is_queued = False
            self._ready.remove(stream)
        self.queued -= stream.queued
        stream.queued = 0
        stream.queue = []
        stream.offset = 0
        stream.waits_since = NOT_WAITING
        stream.trailers_block = b""

    def take(self) -> bytes:
        """
        :return: the bytes to be sent now; empty if there are none. Call it again after they are
            sent, until it returns none.
        """
        if self._ready and not self.is_blocked:
            self._pump()
        frames = self._frames
        if not frames:
            return b""
        self._frames = []
        self._unsent = 0
        return frames[0] if len(frames) == 1 else b"".join(frames)

    def take_drained(self) -> list[Stream]:
        """:return: the streams that may queue more again; each is to be told."""
        drained = self._drained
        if drained:
            self._drained = []
        return drained

    def _pump(self) -> None:
        """Make DATA frames, as far as the windows allow, up to `TAKEN_AT_ONCE`."""
        budget = TAKEN_AT_ONCE
        ready = self._ready
        now = 0.0
        while ready and budget > 0 and self.window > 0:
            if len(ready) == 1:
                stream = ready[0]
            elif not self.has_priorities:
                stream = self._take_turn()
            else:
                now = now or self._now()
                stream = self._next(now)
            budget -= self._send_piece(stream, now)
        if self.window <= 0 or ready:
            now = now or self._now()
            for stream in ready:
                if stream.waits_since == NOT_WAITING:
                    stream.waits_since = now

    def _next(self, now: float) -> Stream:
        """:return: the stream whose turn it is; one that takes turns goes to the end of the row."""
        ready = self._ready
        best = ready[0]
        for stream in ready:
            if stream.waits_since < now - MAX_WAIT:
                best = stream
                break
            if stream.priority.urgency < best.priority.urgency:
                best = stream
        if best.priority.is_incremental:
            ready.remove(best)
            ready.append(best)
        return best

    def _take_turn(self) -> Stream:
        """:return: the next stream where all take turns."""
        ready = self._ready
        stream = ready.pop(0)
        ready.append(stream)
        return stream

    def _send_piece(self, stream: Stream, now: float) -> int:
        """
        Make a DATA frame of a stream that is ready.

        :return: the size of its payload.
        """
        first = stream.queue[0]
        start = stream.offset
        # Two by two, which is compiled.
        size = min(min(len(first) - start, FRAME_SIZE), min(stream.send_window, self.window))
        if start + size == len(first):
            piece = first[start:] if start else first
            stream.queue.pop(0)
            stream.offset = 0
        else:
            piece = first[start : start + size]
            stream.offset = start + size
        self.window -= size
        self.queued -= size
        stream.send_window -= size
        stream.queued -= size
        is_whole = not stream.queued
        is_end = is_whole and stream.is_ended and not stream.trailers_block
        flags = END_STREAM if is_end else 0
        self._frames.append(frame_header(size, DATA, flags, stream.stream_id))
        self._frames.append(piece)
        self._guard.sent_data()
        stream.waits_since = NOT_WAITING if is_whole else (now or self._now())
        if is_whole or stream.send_window <= 0:
            stream.is_queued = False
            self._ready.remove(stream)
        if is_whole:
            if is_end:
                self._end(stream)
            elif stream.is_ended:
                self._send_end(stream)
            elif stream.is_output_full:
                stream.is_output_full = False
                self._drained.append(stream)
        return size

    def _send_end(self, stream: Stream) -> None:
        if stream.trailers_block:
            self.head(stream, stream.trailers_block, is_end=True)
        else:
            self._frames.append(frame_header(0, DATA, END_STREAM, stream.stream_id))
            self._guard.sent_data()
            self._end(stream)

    def _end(self, stream: Stream) -> None:
        stream.is_local_closed = True
        if stream.reset_after <= NO_ERROR:
            # The answer to a malformed request earns nothing.
            self._guard.answered()
        self.closed.append(stream)
