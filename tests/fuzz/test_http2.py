"""
Conversations of HTTP/2 that hypothesis makes up, as our connection and `h2` read them.

    FUZZ_EXAMPLES=20000 python -m twisted.trial tests.fuzz.test_http2
"""

from __future__ import annotations

import os
from collections.abc import Callable

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import hpack
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.http2.frame import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HAS_PRIORITY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
)
from tests.support.http2_client import GET, POST, Client, frame, word
from tests.support.http2_client import settings as settings_frame

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))

STREAM = st.sampled_from([1, 3, 5, 7]) | st.integers(0, 9)
FIELD = st.tuples(
    st.sampled_from(
        [b"a", b"x-long", b"cookie", b"te", b"content-length", b"host", b"A", b":path"]
    ),
    st.sampled_from([b"", b"1", b"trailers", b"a.example", b"y" * 300, b"a\nb"]),
)

Piece = Callable[[hpack.Encoder], bytes]


@st.composite
def heads(draw: st.DrawFn) -> Piece:
    """A HEADERS frame, whole or cut into CONTINUATIONs."""
    stream_id = draw(STREAM)
    begin = draw(st.sampled_from([GET, POST, GET, POST, ()]))
    fields = [*begin, *draw(st.lists(FIELD, max_size=3))]
    flags = draw(st.sampled_from([END_STREAM, END_STREAM, 0]))
    extra = draw(st.sampled_from([0, 0, PADDED, HAS_PRIORITY]))
    cut = draw(st.integers(0, 40) | st.none())
    table = draw(st.sampled_from([None, None, None, 0, 200, 4096]))

    def make(encoder: hpack.Encoder) -> bytes:
        if table is not None:
            encoder.header_table_size = table
        block: bytes = encoder.encode(fields)
        before, after = b"", b""
        if extra == PADDED:
            before, after = b"\x02", b"\0\0"
        elif extra == HAS_PRIORITY:
            before = word(0) + b"\x10"
        if cut is None or cut >= len(block):
            return frame(HEADERS, flags | extra | END_HEADERS, stream_id, before + block + after)
        return frame(HEADERS, flags | extra, stream_id, before + block[:cut] + after) + frame(
            CONTINUATION, END_HEADERS, stream_id, block[cut:]
        )

    return make


def plain(data: bytes) -> Piece:
    return lambda encoder: data


FRAMES = st.one_of(
    heads(),
    heads(),
    heads(),
    st.builds(
        lambda stream_id, data, end: plain(frame(DATA, END_STREAM if end else 0, stream_id, data)),
        STREAM,
        st.binary(max_size=30),
        st.booleans(),
    ),
    st.builds(
        lambda n, code: plain(frame(RST_STREAM, 0, n, word(code))), STREAM, st.integers(0, 9)
    ),
    st.builds(
        lambda n, size: plain(frame(WINDOW_UPDATE, 0, n, word(size))),
        STREAM,
        st.sampled_from([0, 1, 1000, 2**31 - 1]),
    ),
    st.builds(
        lambda key, value: plain(settings_frame((key, value))),
        st.integers(0, 9),
        st.sampled_from([0, 1, 100, 16_384, 2**31]),
    ),
    st.just(plain(frame(PING, 0, 0, bytes(8)))),
    st.just(plain(frame(SETTINGS, 1, 0))),
    st.builds(lambda n, on: plain(frame(PRIORITY, 0, n, word(on) + b"\1")), STREAM, STREAM),
    st.just(plain(frame(GOAWAY, 0, 0, bytes(8)))),
    st.builds(
        lambda kind, flags, n, data: plain(frame(kind, flags, n, data)),
        st.integers(0, 255),
        st.integers(0, 255),
        STREAM,
        st.binary(max_size=12),
    ),
    st.binary(max_size=20).map(plain),
)

CONVERSATIONS = st.lists(FRAMES, max_size=10)


def encode(pieces: list[Piece]) -> bytes:
    encoder = hpack.Encoder()
    return PREFACE + settings_frame() + b"".join(piece(encoder) for piece in pieces)


Requests = dict[int, tuple[list[tuple[bytes, bytes]], bytes, bool]]
"""By stream: the fields without those that only one side has, the body, whether it is whole."""


def read_by_us(data: bytes, split: int) -> tuple[Requests, Client]:
    client = Client(None, split=split)
    client.send(data)
    found: Requests = {}
    for received in client.site.received:
        request = received.request
        if request is None:
            continue
        fields = [
            (b":method", request.method),
            *((name, value) for _, name, value in request.fields if name != b"cookie"),
        ]
        whole = request.body_length == 0 or received.trailers is not None
        found[received.stream.stream_id] = (fields, received.body, whole)
    return found, client


def read_by_h2(data: bytes) -> Requests | None:
    """:return: None if `h2` refuses something."""
    connection = h2.connection.H2Connection(
        h2.config.H2Configuration(client_side=False, header_encoding=None)
    )
    connection.initiate_connection()
    heads: dict[int, list[tuple[bytes, bytes]]] = {}
    bodies: dict[int, bytes] = {}
    ended: set[int] = set()
    try:
        events = connection.receive_data(data)
    except (h2.exceptions.ProtocolError, hpack.HPACKError, ValueError):
        return None
    for event in events:
        if isinstance(event, h2.events.RequestReceived):
            heads[event.stream_id] = [(name, value) for name, value in event.headers]
        elif isinstance(event, h2.events.DataReceived):
            bodies[event.stream_id] = bodies.get(event.stream_id, b"") + event.data
        elif isinstance(event, h2.events.StreamEnded):
            ended.add(event.stream_id)
        elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
            return None
    found: Requests = {}
    for stream_id, fields in heads.items():
        method = [each for each in fields if each[0] == b":method"]
        rest = [
            each
            for each in fields
            if not each[0].startswith(b":") and each[0] not in (b"cookie", b"host")
        ]
        found[stream_id] = (method + rest, bodies.get(stream_id, b""), stream_id in ended)
    return found


class ConversationTests(SynchronousTestCase):
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(CONVERSATIONS, st.integers(1, 40))
    def test_split(self, pieces: list[Piece], split: int) -> None:
        """However the bytes are cut, the same requests come of them, and the same end."""
        data = encode(pieces)
        whole, client = read_by_us(data, len(data))
        cut, other = read_by_us(data, split)
        self.assertEqual(client.goaway(), other.goaway())
        # Requests that are reset, or are followed by a fault, may have begun before that.
        for stream_id, request in whole.items():
            self.assertEqual(cut.get(stream_id), request)

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(CONVERSATIONS)
    def test_h2(self, pieces: list[Piece]) -> None:
        """What `h2` takes without any doubt are the requests that we take."""
        data = encode(pieces)
        reference = read_by_h2(data)
        if reference is None:
            return
        found, client = read_by_us(data, len(data))
        for stream_id, request in found.items():
            if client.reset(stream_id) is None and client.goaway() is None:
                fields, body, whole = reference[stream_id]
                stripped = [(name, value.strip(b" \t")) for name, value in fields]
                self.assertEqual(request, (stripped, body, whole))

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(st.binary(max_size=300), st.integers(1, 40))
    def test_anything(self, data: bytes, split: int) -> None:
        """Arbitrary bytes behind the preface are read to an end, or to a GOAWAY."""
        client = Client(split=split)
        client.send(PREFACE, settings_frame(), data)
        if client.goaway() is not None:
            self.assertTrue(client.connection.is_over)
            self.assertEqual(client.connection.take(), b"")
        self.assertLess(sum(len(each.payload) for each in client.frames), 5000)
