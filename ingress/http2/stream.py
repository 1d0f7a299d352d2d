"""
One stream of a connection: what has come, what is to be sent, and the windows of both.

::

    IDLE ── head ──► OPEN ── END_STREAM received ──► is_remote_closed ──┐
                      └───── END_STREAM sent ──────► is_local_closed ───┴──► CLOSED
    RST_STREAM of either side, and the end of the connection, close it at once.

The user of a stream receives by its `StreamEvents`, and sends by `Stream.send_head`, `send_data`
and `end`; the bytes go out when the connection's owner takes them.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr, trait

from ingress.errors import PeerError
from ingress.http1.body import Trailers
from ingress.http2.fault import CANCEL
from ingress.http2.flow import ReceiveWindow, SharedGrowth
from ingress.http2.frame import DEFAULT_WINDOW
from ingress.http2.priority import TAKES_TURNS, Priority
from ingress.message import Response

NOT_WAITING: Final = float("inf")
"""Since when a stream waits to send that has nothing to send."""

ANY_LENGTH: Final = -1
"""The expected length of a body without a Content-Length."""


@trait
@mypyc_attr(allow_interpreted_subclasses=True)
class StreamEvents:
    """
    Receives what comes on a stream. The last call is `body_ended`, `message_refused` or
    `stream_reset`, except that a stream can still be reset after the first two.

    It is a trait, because its classes on both sides have a seam for their base. Interpreted
    classes have `StreamUser` in its place.
    """

    def interim_received(self, response: Response) -> None:
        """A response of status 1xx has come (client's role)."""

    def response_received(self, response: Response) -> None:
        """The head of the final response has come (client's role)."""

    def body_received(self, data: bytes) -> None:
        """Some of the body has come; never empty, and never while input is paused."""

    def body_ended(self, trailers: Trailers) -> None:
        """The message is whole."""

    def message_refused(self, error: PeerError) -> None:
        """
        The message turned out to be malformed after its head: by its trailers, or by its length.

        The server's role answers it if it still can; the stream is reset after that. In the
        client's role the stream has been reset.
        """

    def stream_reset(self, code: int) -> None:
        """
        The stream is over before its end: the peer has reset it, or the connection has ended.

        :param code: the error code; REFUSED_STREAM says that the peer has processed nothing.
        """

    def output_drained(self) -> None:
        """All that was queued by `Stream.send_data` is sent, after a call that returned False."""


@mypyc_attr(allow_interpreted_subclasses=True)
class StreamUser(StreamEvents):
    """Ignores everything that comes on a stream."""


NOBODY: Final = StreamUser()
"""Stands in the place of a user that is gone."""


class StreamOwner:
    """The connection, as its streams see it."""

    def head_queued(self, stream: Stream, block: bytes, *, is_end: bool) -> None:
        """Send a field block."""
        raise NotImplementedError

    def data_queued(self, stream: Stream, size: int) -> bool:
        """:return: whether the stream may queue more now."""
        raise NotImplementedError

    def end_queued(self, stream: Stream) -> None:
        """The stream's output is complete."""
        raise NotImplementedError

    def reset(self, stream: Stream, code: int) -> None:
        """Send RST_STREAM and forget the stream."""
        raise NotImplementedError

    def return_credit(self, stream: Stream, size: int) -> None:
        """Bytes of the body have reached their reader: the peer may send as many more."""
        raise NotImplementedError

    def end_told(self, stream: Stream) -> None:
        """The stream's user knows that the message is whole."""
        raise NotImplementedError


class Stream:
    """
    One stream.

    :param owner: the connection.
    :param stream_id: its number.
    :param send_window: how many bytes of DATA the peer takes at first.
    """

    __slots__ = (
        "empty_count",
        "events",
        "expected",
        "held",
        "held_size",
        "ignores_input",
        "is_closed",
        "is_ended",
        "is_head_sent",
        "is_input_paused",
        "is_local_closed",
        "is_of_head",
        "is_output_full",
        "is_queued",
        "is_remote_closed",
        "is_response_begun",
        "line",
        "media_type",
        "offset",
        "owner",
        "priority",
        "queue",
        "queued",
        "refusal",
        "reset_after",
        "send_window",
        "stream_id",
        "trailers",
        "trailers_block",
        "waits_since",
        "was_told",
        "window",
    )

    def __init__(
        self, owner: StreamOwner, stream_id: int, send_window: int, growth: SharedGrowth
    ) -> None:
        self.owner = owner
        self.stream_id = stream_id
        self.events: StreamEvents = NOBODY
        self.is_closed = False
        """Whether the stream is over; nothing is sent or received on it."""

        # Input.
        self.window = ReceiveWindow(DEFAULT_WINDOW, growth)
        self.expected = ANY_LENGTH
        """Bytes of the body that are still to come, by Content-Length."""

        self.held: list[bytes] = []
        """What has come while input is paused."""

        self.held_size = 0
        self.trailers: Trailers = ()
        self.refusal: PeerError | None = None
        """The fault of a message that its user has not seen the begin of."""

        self.line = b""
        """The beginning of a request whose head is at fault, for the log."""

        self.media_type = b""
        """The Content-Type of a request that is refused, as far as it is known."""

        self.is_input_paused = True
        """Whether input is held; it is until the stream's user asks for it."""

        self.is_remote_closed = False
        self.ignores_input = False
        """Whether the message turned out to be malformed, so that the rest of it is dropped."""

        self.empty_count = 0
        """How many of the last DATA frames were empty."""

        self.was_told = False
        """Whether the user knows that the message is whole."""

        self.is_of_head = False
        """Client's role: whether the request's method is HEAD."""

        self.is_response_begun = False
        """Client's role: whether the final response has begun."""

        # Output.
        self.send_window = send_window
        self.queue: list[bytes] = []
        self.offset = 0
        """How many bytes of the first piece of the queue have been sent."""

        self.queued = 0
        self.priority: Priority = TAKES_TURNS
        self.trailers_block = b""
        self.waits_since = NOT_WAITING
        """When the queue last shrank, or began."""

        self.is_head_sent = False
        self.is_ended = False
        """Whether nothing more will be queued."""

        self.is_local_closed = False
        self.is_queued = False
        """Whether the connection has it among those that can send."""

        self.is_output_full = False
        self.reset_after = -1
        """The code to reset the stream with after our END_STREAM; negative for none."""

    def __repr__(self) -> str:
        return (
            f"<Stream {self.stream_id} held={self.held_size} queued={self.queued} "
            f"remote_closed={self.is_remote_closed} local_closed={self.is_local_closed}>"
        )

    # Output.

    def send_head(self, block: bytes, *, is_end: bool) -> None:
        """
        Send a head, or an interim one.

        :param block: the encoded fields (`hpack_encoder`), pseudo-fields first.
        :param is_end: whether the message has no body and no trailers.
        """
        if not self.is_closed:
            self.owner.head_queued(self, block, is_end=is_end)

    def send_data(self, data: bytes) -> bool:
        """
        Queue some of the body; never empty.

        :return: whether more may be queued now; else wait for `StreamEvents.output_drained`.
        """
        if self.is_closed or self.is_ended:
            return True
        self.queue.append(data)
        size = len(data)
        self.queued += size
        return self.owner.data_queued(self, size)

    def end(self, trailers_block: bytes = b"", *, reset_after: int = -1) -> None:
        """
        End the message behind what is queued.

        :param trailers_block: the encoded trailers; empty for none.
        :param reset_after: the code to reset the stream with afterwards if the peer has not ended
            its own message; negative to wait for that.
        """
        if not self.is_closed and not self.is_ended:
            self.is_ended = True
            self.trailers_block = trailers_block
            self.reset_after = reset_after
            self.owner.end_queued(self)

    def reset(self, code: int = CANCEL) -> None:
        """End the stream at once; its user gets no further calls."""
        self.events = NOBODY
        if not self.is_closed:
            self.owner.reset(self, code)

    # Input.

    def pause_input(self) -> None:
        """Hold what comes from now on; the peer's window bounds that."""
        self.is_input_paused = True
        self.window.stall()

    def resume_input(self) -> None:
        """
        Pass on what was held, at once, and then what comes.

        The user's methods are called before this returns. One of them may pause again.
        """
        self.is_input_paused = False
        while self.held and not self.is_input_paused:
            data = self.held.pop(0)
            self.held_size -= len(data)
            self.events.body_received(data)
            self.owner.return_credit(self, len(data))
        if not self.is_input_paused and not self.held:
            self._tell_end()

    def take(self, data: bytes) -> None:
        """Some of the body has come (called by the connection)."""
        if self.is_input_paused or self.held:
            self.held.append(data)
            self.held_size += len(data)
        else:
            self.events.body_received(data)
            self.owner.return_credit(self, len(data))

    def take_end(self) -> None:
        """The peer's message is whole (called by the connection)."""
        if not self.is_input_paused and not self.held:
            self._tell_end()

    def _tell_end(self) -> None:
        if self.is_remote_closed and not self.was_told and not self.is_closed:
            self.was_told = True
            self.events.body_ended(self.trailers)
            self.owner.end_told(self)

    def take_refusal(self, error: PeerError) -> None:
        """The message is malformed: what is held of it is dropped (called by the connection)."""
        self.ignores_input = True
        size, self.held_size = self.held_size, 0
        self.held = []
        if size:
            self.owner.return_credit(self, size)
        if self.events is NOBODY:
            # Without its traceback, whose frames would refer to the stream.
            error.__traceback__ = None
            self.refusal = error
        else:
            self.events.message_refused(error)
