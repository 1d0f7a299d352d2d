"""
A client of HTTP/2 in values, which speaks to a `ServerConnection` without sockets.

It writes frames that nobody else would write, and reads what comes back frame by frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import hpack

from ingress.config import Limits
from ingress.errors import PeerError
from ingress.http1.body import Trailers
from ingress.http2.counts import HTTP2Counts
from ingress.http2.frame import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame_header,
)
from ingress.http2.hpack_encoder import encode_fields, encode_status
from ingress.http2.server import ServerConnection, ServerEvents, refusal_code
from ingress.http2.stream import Stream, StreamUser
from ingress.message import Request

GET = (
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b":path", b"/"),
    (b":authority", b"a.example"),
)
POST = ((b":method", b"POST"), *GET[1:])


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Write any frame."""
    return frame_header(len(payload), kind, flags, stream_id) + payload


def word(number: int) -> bytes:
    return number.to_bytes(4, "big")


def settings(*entries: tuple[int, int]) -> bytes:
    payload = b"".join(key.to_bytes(2, "big") + word(value) for key, value in entries)
    return frame(SETTINGS, 0, 0, payload)


def window_update(stream_id: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream_id, word(increment))


@dataclass(frozen=True)
class Frame:
    """A frame that came back."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes

    @property
    def code(self) -> int:
        """The error code of RST_STREAM or GOAWAY."""
        return int.from_bytes(self.payload[4 if self.kind == GOAWAY else 0 :][:4], "big")


def read_frames(data: bytes) -> list[Frame]:
    """Read whole frames."""
    frames = []
    while data:
        length = int.from_bytes(data[:3], "big")
        assert len(data) >= 9 + length, "a frame is cut off"
        stream_id = int.from_bytes(data[5:9], "big")
        frames.append(Frame(data[3], data[4], stream_id, data[9 : 9 + length]))
        data = data[9 + length :]
    return frames


@dataclass
class Received(StreamUser):
    """What came on a stream, and the request that began it."""

    stream: Stream
    request: Request | None = None
    body: bytes = b""
    trailers: Trailers | None = None
    refusal: PeerError | None = None
    reset: int | None = None
    drained: int = 0
    pieces: list[bytes] = field(default_factory=list)

    def body_received(self, data: bytes) -> None:
        self.body += data
        self.pieces.append(data)

    def body_ended(self, trailers: Trailers) -> None:
        self.trailers = trailers

    def message_refused(self, error: PeerError) -> None:
        self.refusal = error
        self.stream.send_head(encode_status(error.status), is_end=False)
        self.stream.end(reset_after=refusal_code(error))

    def stream_reset(self, code: int) -> None:
        self.reset = code

    def output_drained(self) -> None:
        self.drained += 1


class Site(ServerEvents):
    """
    Receives the requests of a client.

    :param body: the body of each response; None to leave requests unanswered.
    """

    def __init__(self, body: bytes | None) -> None:
        self.body = body
        self.received: list[Received] = []
        self.reads = True
        """Whether bodies are taken as they come."""

    def request_received(self, stream: Stream, request: Request) -> None:
        received = Received(stream, request)
        self.received.append(received)
        stream.events = received
        if self.reads:
            stream.resume_input()
        if self.body is not None:
            answer(stream, self.body)

    def request_refused(self, stream: Stream, error: PeerError) -> None:
        self.received.append(Received(stream, refusal=error))
        stream.send_head(encode_status(error.status), is_end=False)
        stream.end(reset_after=refusal_code(error))


def answer(stream: Stream, body: bytes, *fields: tuple[bytes, bytes]) -> None:
    """Answer a request."""
    stream.send_head(encode_status(200) + encode_fields(fields), is_end=not body)
    if body:
        stream.send_data(body)
        stream.end()


class Client:
    """
    A client and the server's side of its connection.

    :param body: the body of each response; None to leave requests unanswered.
    :param split: feed what is sent in pieces of this size; 0 for whole.
    """

    def __init__(
        self,
        body: bytes | None = b"hello",
        *,
        limits: Limits | None = None,
        max_streams: int = 100,
        split: int = 0,
    ) -> None:
        self.now = 1000.0
        self.site = Site(body)
        self.counts = HTTP2Counts()
        self.glitches = self.counts.glitches
        self.connection = ServerConnection(
            self.site, limits or Limits(), max_streams, lambda: self.now, self.counts
        )
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.frames: list[Frame] = []
        """All that came back, in order."""

        self._split = split

    def handshake(self, *entries: tuple[int, int]) -> Client:
        """Send the preface and settings, and forget the answer."""
        self.send(PREFACE, settings(*entries))
        self.frames.clear()
        return self

    def send(self, *pieces: bytes) -> list[Frame]:
        """:return: the frames that came back for it."""
        data = b"".join(pieces)
        size = self._split or len(data) or 1
        before = len(self.frames)
        for start in range(0, len(data), size):
            self.connection.receive(data[start : start + size])
            self.connection.begin()
            self.read()
        return self.frames[before:]

    def read(self) -> list[Frame]:
        """:return: the frames that the connection has to send."""
        before = len(self.frames)
        while data := self.connection.take():
            self.frames += read_frames(data)
            for stream in self.connection.output.take_drained():
                stream.events.output_drained()
        return self.frames[before:]

    def head(
        self,
        stream_id: int,
        fields: Sequence[tuple[bytes, bytes]] = GET,
        *,
        end: bool = True,
        flags: int = END_HEADERS,
        before: bytes = b"",
        after: bytes = b"",
    ) -> bytes:
        """
        Write a HEADERS frame.

        :param before: of the payload, before the block; `after` the same.
        """
        block = self.encoder.encode(fields)
        flags |= END_STREAM if end else 0
        return frame(HEADERS, flags, stream_id, before + block + after)

    def block(self, stream_id: int, block: bytes, *, end: bool = True) -> bytes:
        """Write a HEADERS frame with this block."""
        return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream_id, block)

    def continuation(self, stream_id: int, block: bytes, *, end: bool = True) -> bytes:
        return frame(CONTINUATION, END_HEADERS if end else 0, stream_id, block)

    def data(self, stream_id: int, data: bytes, *, end: bool = True) -> bytes:
        return frame(DATA, END_STREAM if end else 0, stream_id, data)

    def rst(self, stream_id: int, code: int = 8) -> bytes:
        return frame(RST_STREAM, 0, stream_id, word(code))

    def ping(self, data: bytes = b"h2spec\0\0", *, ack: bool = False) -> bytes:
        return frame(PING, int(ack), 0, data)

    # What came back.

    def of(self, kind: int, stream_id: int | None = None) -> list[Frame]:
        """:return: the frames of a kind that came, of one stream or of all."""
        return [
            each
            for each in self.frames
            if each.kind == kind and stream_id in (None, each.stream_id)
        ]

    def body(self, stream_id: int) -> bytes:
        return b"".join(each.payload for each in self.of(DATA, stream_id))

    def goaway(self) -> int | None:
        """:return: the code of the last GOAWAY; None without one."""
        found = self.of(GOAWAY)
        return found[-1].code if found else None

    def reset(self, stream_id: int) -> int | None:
        """:return: the code that the stream was reset with; None if it was not."""
        found = self.of(RST_STREAM, stream_id)
        return found[-1].code if found else None
