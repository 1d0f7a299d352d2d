"""
The cases of h2spec (https://github.com/summerwind/h2spec, 147 in its sources: 44 of the group
`generic`, 95 of `http2` and 8 of `hpack`), written anew as a table: their numbers and names, what is sent, and what has to
come back. Each case is also sent byte by byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from ingress.http2.fault import (
    COMPRESSION_ERROR,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
)
from ingress.http2.frame import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_SIZE,
    GOAWAY,
    HAS_PRIORITY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
)
from tests.support.http2_client import GET, POST, Client, frame, settings, window_update, word

Check = Callable[[Client], bool]

INITIAL_WINDOW = 4


def connection(*codes: int) -> Check:
    """The connection ends with one of these codes."""
    return lambda c: c.goaway() in codes and c.connection.is_over


def stream(*codes: int) -> Check:
    """The stream, or the connection, ends with one of these codes."""
    return lambda c: c.goaway() in codes or c.reset(1) in codes


def responds(c: Client) -> bool:
    """A response comes on stream 1."""
    return bool(c.of(HEADERS, 1)) and c.goaway() is None and c.reset(1) is None


def pongs(c: Client) -> bool:
    """The PING at the end is answered, and nothing is wrong."""
    return any(each.flags & ACK for each in c.of(PING)) and c.goaway() is None


def acks(c: Client) -> bool:
    """SETTINGS are acknowledged."""
    return any(each.flags & ACK for each in c.of(SETTINGS)) and c.goaway() is None


def first_data(size: int) -> Check:
    """The first DATA has this size."""
    return lambda c: len(c.of(DATA, 1)[0].payload) == size


def priority(
    stream_id: int, on: int = 0, weight: int = 255, *, is_exclusive: bool = False
) -> bytes:
    return frame(PRIORITY, 0, stream_id, word(on | is_exclusive << 31) + bytes((weight,)))


def literal(first: bytes, name: bytes, value: bytes) -> bytes:
    """A literal field without the Huffman code; no name if it is in `first`."""
    named = bytes((len(name),)) + name if name else b""
    return first + named + bytes((len(value),)) + value


def dummy(c: Client) -> bytes:
    """A block of 4 KiB."""
    return c.encoder.encode([(b"x-dummy0", b"x" * 4000)])


HUFFMAN_TEST = b"\x83\x49\x50\x9f"
"""`test` in the Huffman code."""

X_TEST = b"\x85\xf2\xb2\x4a\x84\xff"
"""`x-test` in the Huffman code."""

REQUEST = b"\x82\x86\x84\x41\x09a.example"
"""`GET` without the dynamic table."""

Case = tuple[str, Callable[[Client], bytes], Check]


def with_block(*parts: bytes) -> Callable[[Client], bytes]:
    return lambda c: c.block(1, b"".join((REQUEST, *parts)))


def cut(c: Client, *, end: bool = True) -> bytes:
    """A HEADERS frame without END_HEADERS."""
    return c.head(1, end=end, flags=0)


def without(name: bytes) -> list[tuple[bytes, bytes]]:
    return [each for each in GET if each[0] != name]


UNUSED = frame(0x16, 0, 0, b"unknown!")

GENERIC: dict[str, Case] = {
    "generic/1/1": (
        "Sends a client connection preface",
        lambda c: PREFACE + settings(),
        lambda c: bool(c.of(SETTINGS)),
    ),
    "generic/2/1": (
        "Sends a PRIORITY frame on idle stream",
        lambda c: priority(1) + c.ping(),
        pongs,
    ),
    "generic/2/2": (
        "Sends a WINDOW_UPDATE frame on half-closed (remote) stream",
        lambda c: settings((INITIAL_WINDOW, 0)) + c.head(1) + window_update(1, 5),
        lambda c: c.body(1) == b"hello",
    ),
    "generic/2/3": (
        "Sends a PRIORITY frame on half-closed (remote) stream",
        lambda c: c.head(1) + priority(1),
        lambda c: c.body(1) == b"hello",
    ),
    "generic/2/4": (
        "Sends a RST_STREAM frame on half-closed (remote) stream",
        lambda c: c.head(1) + c.rst(1) + c.ping(),
        pongs,
    ),
    "generic/2/5": (
        "Sends a PRIORITY frame on closed stream",
        lambda c: c.head(1) + c.rst(1) + priority(1) + c.ping(),
        pongs,
    ),
    "generic/3.1/1": (
        "Sends a DATA frame",
        lambda c: c.head(1, POST, end=False) + c.data(1, b"test"),
        responds,
    ),
    "generic/3.1/2": (
        "Sends multiple DATA frames",
        lambda c: c.head(1, POST, end=False) + c.data(1, b"te", end=False) + c.data(1, b"st"),
        responds,
    ),
    "generic/3.1/3": (
        "Sends a DATA frame with padding",
        lambda c: (
            c.head(1, POST, end=False) + frame(DATA, PADDED | END_STREAM, 1, b"\x03test\0\0\0")
        ),
        responds,
    ),
    "generic/3.2/1": ("Sends a HEADERS frame", lambda c: c.head(1), responds),
    "generic/3.2/2": (
        "Sends a HEADERS frame with padding",
        lambda c: c.head(1, flags=END_HEADERS | PADDED, before=b"\x03", after=b"\0\0\0"),
        responds,
    ),
    "generic/3.2/3": (
        "Sends a HEADERS frame with priority",
        lambda c: c.head(1, flags=END_HEADERS | HAS_PRIORITY, before=word(0) + b"\xff"),
        responds,
    ),
    "generic/3.3/1": (
        "Sends a PRIORITY frame with priority 1",
        lambda c: priority(1, weight=0) + c.head(1),
        responds,
    ),
    "generic/3.3/2": (
        "Sends a PRIORITY frame with priority 256",
        lambda c: priority(1) + c.head(1),
        responds,
    ),
    "generic/3.3/3": (
        "Sends a PRIORITY frame with stream dependency",
        lambda c: priority(1, 0) + priority(3, 1) + c.head(1),
        responds,
    ),
    "generic/3.3/4": (
        "Sends a PRIORITY frame with exclusive",
        lambda c: priority(3, 1, is_exclusive=True) + c.head(1),
        responds,
    ),
    "generic/3.3/5": (
        "Sends a PRIORITY frame for an idle stream, then send a HEADER frame for a lower stream ID",
        lambda c: priority(3) + c.head(1),
        responds,
    ),
    "generic/3.4/1": (
        "Sends a RST_STREAM frame",
        lambda c: c.head(1, end=False) + c.rst(1) + c.ping(),
        pongs,
    ),
    "generic/3.5/1": ("Sends a SETTINGS frame", lambda c: settings(), acks),
    "generic/3.7/1": ("Sends a PING frame", lambda c: c.ping(), pongs),
    "generic/3.8/1": (
        "Sends a GOAWAY frame",
        lambda c: frame(GOAWAY, 0, 0, word(0) + word(0)) + c.ping(),
        pongs,
    ),
    "generic/3.9/1": (
        "Sends a WINDOW_UPDATE frame with stream ID 0",
        lambda c: window_update(0, 1) + c.ping(),
        pongs,
    ),
    "generic/3.9/2": (
        "Sends a WINDOW_UPDATE frame with stream ID 1",
        lambda c: c.head(1, POST, end=False) + window_update(1, 1) + c.data(1, b"test"),
        responds,
    ),
    "generic/3.10/1": (
        "Sends a CONTINUATION frame",
        lambda c: cut(c) + c.continuation(1, dummy(c)),
        responds,
    ),
    "generic/3.10/2": (
        "Sends multiple CONTINUATION frames",
        lambda c: cut(c) + c.continuation(1, dummy(c), end=False) + c.continuation(1, dummy(c)),
        responds,
    ),
    "generic/4/1": ("Sends a GET request", lambda c: c.head(1), responds),
    "generic/4/2": (
        "Sends a HEAD request",
        lambda c: c.head(1, ((b":method", b"HEAD"), *GET[1:])),
        responds,
    ),
    "generic/4/3": (
        "Sends a POST request",
        lambda c: c.head(1, POST, end=False) + c.data(1, b"test"),
        responds,
    ),
    "generic/4/4": (
        "Sends a POST request with trailers",
        lambda c: (
            c.head(1, (*POST, (b"trailer", b"x-test")), end=False)
            + c.data(1, b"test", end=False)
            + c.head(1, ((b"x-test", b"ok"),))
        ),
        responds,
    ),
    "generic/5/1": ("Sends a indexed header field representation", with_block(b"\x90"), responds),
    "generic/5/2": (
        "Sends a literal header field with incremental indexing - indexed name",
        with_block(literal(b"\x7a", b"", b"test")),
        responds,
    ),
    "generic/5/3": (
        "Sends a literal header field with incremental indexing - indexed name (with Huffman coding)",
        with_block(b"\x7a", HUFFMAN_TEST),
        responds,
    ),
    "generic/5/4": (
        "Sends a literal header field with incremental indexing - new name",
        with_block(literal(b"\x40", b"x-test", b"test")),
        responds,
    ),
    "generic/5/5": (
        "Sends a literal header field with incremental indexing - new name (with Huffman coding)",
        with_block(b"\x40", HUFFMAN_TEST, HUFFMAN_TEST),
        responds,
    ),
    "generic/5/6": (
        "Sends a literal header field without indexing - indexed name",
        with_block(literal(b"\x0f\x2b", b"", b"test")),
        responds,
    ),
    "generic/5/7": (
        "Sends a literal header field without indexing - indexed name (with Huffman coding)",
        with_block(b"\x0f\x2b", HUFFMAN_TEST),
        responds,
    ),
    "generic/5/8": (
        "Sends a literal header field without indexing - new name",
        with_block(literal(b"\x00", b"x-test", b"test")),
        responds,
    ),
    "generic/5/9": (
        "Sends a literal header field without indexing - new name (huffman encoded)",
        with_block(b"\x00", HUFFMAN_TEST, HUFFMAN_TEST),
        responds,
    ),
    "generic/5/10": (
        "Sends a literal header field never indexed - indexed name",
        with_block(literal(b"\x1f\x2b", b"", b"test")),
        responds,
    ),
    "generic/5/11": (
        "Sends a literal header field never indexed - indexed name (huffman encoded)",
        with_block(b"\x1f\x2b", HUFFMAN_TEST),
        responds,
    ),
    "generic/5/12": (
        "Sends a literal header field never indexed - new name",
        with_block(literal(b"\x10", b"x-test", b"test")),
        responds,
    ),
    "generic/5/13": (
        "Sends a literal header field never indexed - new name (huffman encoded)",
        with_block(b"\x10", HUFFMAN_TEST, HUFFMAN_TEST),
        responds,
    ),
    "generic/5/14": (
        "Sends a dynamic table size update",
        lambda c: c.block(1, b"\x3f\x61" + REQUEST),
        responds,
    ),
    "generic/5/15": (
        "Sends multiple dynamic table size update",
        lambda c: c.block(1, b"\x3f\x61\x3f\xe1\x07" + REQUEST),
        responds,
    ),
}

HPACK: dict[str, Case] = {
    "hpack/2.3.3/1": (
        "Sends a indexed header field representation with invalid index",
        with_block(b"\xc6"),
        connection(COMPRESSION_ERROR),
    ),
    "hpack/2.3.3/2": (
        "Sends a literal header field representation with invalid index",
        with_block(b"\x7f\x07\x04test"),
        connection(COMPRESSION_ERROR),
    ),
    "hpack/4.2/1": (
        "Sends a dynamic table size update at the end of header block",
        with_block(b"\x21"),
        connection(COMPRESSION_ERROR),
    ),
    "hpack/5.2/1": (
        "Sends a Huffman-encoded string literal representation with padding longer than 7 bits",
        with_block(b"\x00", X_TEST, b"\x84\x49\x50\x9f\xff"),
        connection(COMPRESSION_ERROR),
    ),
    "hpack/5.2/2": (
        "Sends a Huffman-encoded string literal representation padded by zero",
        with_block(b"\x00", X_TEST, b"\x83\x49\x50\x90"),
        connection(COMPRESSION_ERROR),
    ),
    "hpack/5.2/3": (
        "Sends a Huffman-encoded string literal representation containing the EOS symbol",
        with_block(b"\x00", HUFFMAN_TEST, b"\x87\x49\x50\x9f\xff\xff\xff\xff"),
        connection(COMPRESSION_ERROR),
    ),
    "hpack/6.1/1": (
        "Sends a indexed header field representation with index 0",
        with_block(b"\x80"),
        connection(COMPRESSION_ERROR),
    ),
    "hpack/6.3/1": (
        "Sends a dynamic table size update larger than the value of SETTINGS_HEADER_TABLE_SIZE",
        lambda c: c.block(1, b"\x3f\xe2\x1f" + REQUEST),
        connection(COMPRESSION_ERROR),
    ),
}

FRAMES: dict[str, Case] = {
    "http2/3.5/1": (
        "Sends client connection preface",
        lambda c: PREFACE + settings(),
        lambda c: c.frames[0].kind == SETTINGS,
    ),
    "http2/3.5/2": (
        "Sends invalid connection preface",
        lambda c: b"INVALID CONNECTION PREFACE\r\n\r\n",
        connection(PROTOCOL_ERROR),
    ),
    "http2/4.1/1": (
        "Sends a frame with unknown type",
        lambda c: frame(0xFF, 0, 0, bytes(8)) + c.ping(),
        pongs,
    ),
    "http2/4.1/2": (
        "Sends a frame with undefined flag",
        lambda c: frame(PING, 0x16, 0, bytes(8)),
        pongs,
    ),
    "http2/4.1/3": (
        "Sends a frame with reserved field bit",
        lambda c: frame(PING, 0x16, 1 << 31, bytes(8)),
        pongs,
    ),
    "http2/4.2/1": (
        "Sends a DATA frame with 2^14 octets in length",
        lambda c: c.head(1, POST, end=False) + c.data(1, b"x" * FRAME_SIZE),
        responds,
    ),
    "http2/4.2/2": (
        "Sends a large size DATA frame that exceeds the SETTINGS_MAX_FRAME_SIZE",
        lambda c: c.head(1, POST, end=False) + c.data(1, b"x" * (FRAME_SIZE + 1)),
        stream(FRAME_SIZE_ERROR),
    ),
    "http2/4.2/3": (
        "Sends a large size HEADERS frame that exceeds the SETTINGS_MAX_FRAME_SIZE",
        lambda c: c.head(1, (*GET, *((b"x-%d" % n, b"\x01" * 4000) for n in range(5)))),
        connection(FRAME_SIZE_ERROR),
    ),
    "http2/4.3/1": (
        "Sends invalid header block fragment",
        lambda c: c.block(1, b"\x40"),
        connection(COMPRESSION_ERROR),
    ),
    "http2/4.3/2": (
        "Sends a PRIORITY frame while sending the header blocks",
        lambda c: cut(c) + priority(1) + c.continuation(1, dummy(c)),
        connection(PROTOCOL_ERROR),
    ),
    "http2/4.3/3": (
        "Sends a HEADERS frame to another stream while sending the header blocks",
        lambda c: cut(c) + c.head(3) + c.continuation(1, dummy(c)),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.1/1": (
        "Sends a DATA frame with 0x0 stream identifier",
        lambda c: c.data(0, b"test"),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.1/2": (
        'Sends a DATA frame on the stream that is not in "open" or "half-closed (local)" state',
        lambda c: c.head(1) + c.data(1, b"test"),
        stream(STREAM_CLOSED),
    ),
    "http2/6.1/3": (
        "Sends a DATA frame with invalid pad length",
        lambda c: (
            c.head(1, (*POST, (b"content-length", b"4")), end=False)
            + frame(DATA, PADDED | END_STREAM, 1, b"\x06test")
        ),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.2/1": (
        "Sends a HEADERS frame without the END_HEADERS flag, and a PRIORITY frame",
        lambda c: cut(c) + priority(1) + c.continuation(1, dummy(c)),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.2/2": (
        "Sends a HEADERS frame to another stream while sending a HEADERS frame",
        lambda c: cut(c) + c.head(3) + c.continuation(1, dummy(c)),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.2/3": (
        "Sends a HEADERS frame with 0x0 stream identifier",
        lambda c: c.head(0),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.2/4": (
        "Sends a HEADERS frame with invalid pad length",
        lambda c: c.head(1, flags=END_HEADERS | PADDED, before=b"\xff"),
        stream(PROTOCOL_ERROR),
    ),
    "http2/6.3/1": (
        "Sends a PRIORITY frame with 0x0 stream identifier",
        lambda c: priority(0),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.3/2": (
        "Sends a PRIORITY frame with a length other than 5 octets",
        lambda c: c.head(1, end=False) + frame(PRIORITY, 0, 1, b"\x80\0\0\1"),
        stream(FRAME_SIZE_ERROR),
    ),
    "http2/6.4/1": (
        "Sends a RST_STREAM frame with 0x0 stream identifier",
        lambda c: c.rst(0),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.4/2": (
        "Sends a RST_STREAM frame on a idle stream",
        lambda c: c.rst(1),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.4/3": (
        "Sends a RST_STREAM frame with a length other than 4 octets",
        lambda c: c.head(1, end=False) + frame(RST_STREAM, 0, 1, b"\0\0\0"),
        stream(FRAME_SIZE_ERROR),
    ),
    "http2/6.7/1": ("Sends a PING frame", lambda c: c.ping(), pongs),
    "http2/6.7/2": (
        "Sends a PING frame with ACK",
        lambda c: c.ping(b"ignored!", ack=True) + c.ping(),
        lambda c: [each.payload for each in c.of(PING)] == [b"h2spec\0\0"],
    ),
    "http2/6.7/3": (
        "Sends a PING frame with a stream identifier field value other than 0x0",
        lambda c: frame(PING, 0, 1, bytes(8)),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.7/4": (
        "Sends a PING frame with a length field value other than 8",
        lambda c: frame(PING, 0, 0, bytes(6)),
        connection(FRAME_SIZE_ERROR),
    ),
    "http2/6.8/1": (
        "Sends a GOAWAY frame with a stream identifier other than 0x0",
        lambda c: frame(GOAWAY, 0, 1, bytes(8)),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.9/1": (
        "Sends a WINDOW_UPDATE frame with a flow control window increment of 0",
        lambda c: window_update(0, 0),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.9/2": (
        "Sends a WINDOW_UPDATE frame with a flow control window increment of 0 on a stream",
        lambda c: c.head(1, end=False) + window_update(1, 0),
        stream(PROTOCOL_ERROR),
    ),
    "http2/6.9/3": (
        "Sends a WINDOW_UPDATE frame with a length other than 4 octets",
        lambda c: frame(8, 0, 0, bytes(3)),
        connection(FRAME_SIZE_ERROR),
    ),
    "http2/6.9.1/1": (
        "Sends SETTINGS frame to set the initial window size to 1 and sends HEADERS frame",
        lambda c: settings((INITIAL_WINDOW, 1)) + c.head(1),
        first_data(1),
    ),
    "http2/6.9.1/2": (
        "Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1",
        lambda c: window_update(0, 2**31 - 1) * 2,
        connection(FLOW_CONTROL_ERROR),
    ),
    "http2/6.9.1/3": (
        "Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1"
        " on a stream",
        lambda c: c.head(1, POST, end=False) + window_update(1, 2**31 - 1) * 2,
        lambda c: c.reset(1) == FLOW_CONTROL_ERROR,
    ),
    "http2/6.9.2/1": (
        "Changes SETTINGS_INITIAL_WINDOW_SIZE after sending HEADERS frame",
        lambda c: settings((INITIAL_WINDOW, 0)) + c.head(1) + settings((INITIAL_WINDOW, 1)),
        first_data(1),
    ),
    "http2/6.9.2/2": (
        "Sends a SETTINGS frame for window size to be negative",
        lambda c: (
            settings((INITIAL_WINDOW, 3))
            + c.head(1)
            + settings((INITIAL_WINDOW, 2))
            + window_update(1, 2)
        ),
        lambda c: c.body(1) in (b"hell", b"hel") and c.goaway() is None,
    ),
    "http2/6.9.2/3": (
        "Sends a SETTINGS_INITIAL_WINDOW_SIZE settings with an exceeded maximum window size value",
        lambda c: settings((INITIAL_WINDOW, 2**31)),
        connection(FLOW_CONTROL_ERROR),
    ),
    "http2/6.10/1": (
        "Sends multiple CONTINUATION frames preceded by a HEADERS frame",
        lambda c: cut(c) + c.continuation(1, dummy(c), end=False) + c.continuation(1, dummy(c)),
        responds,
    ),
    "http2/6.10/2": (
        "Sends a CONTINUATION frame followed by any frame other than CONTINUATION",
        lambda c: cut(c) + c.continuation(1, dummy(c), end=False) + c.data(1, b"test"),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.10/3": (
        "Sends a CONTINUATION frame with 0x0 stream identifier",
        lambda c: cut(c) + c.continuation(0, dummy(c)),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.10/4": (
        "Sends a CONTINUATION frame preceded by a HEADERS frame with END_HEADERS flag",
        lambda c: c.head(1, end=False) + c.continuation(1, dummy(c)),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.10/5": (
        "Sends a CONTINUATION frame preceded by a CONTINUATION frame with END_HEADERS flag",
        lambda c: cut(c, end=False) + c.continuation(1, dummy(c)) + c.continuation(1, dummy(c)),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.10/6": (
        "Sends a CONTINUATION frame preceded by a DATA frame",
        lambda c: c.head(1, POST, end=False) + c.data(1, b"test") + c.continuation(1, dummy(c)),
        connection(PROTOCOL_ERROR),
    ),
    "http2/7/1": (
        "Sends a GOAWAY frame with unknown error code",
        lambda c: frame(GOAWAY, 0, 0, word(0) + word(0xFF)) + c.ping(),
        pongs,
    ),
    "http2/7/2": (
        "Sends a RST_STREAM frame with unknown error code",
        lambda c: c.head(1, end=False) + c.rst(1, 0xFF) + c.ping(),
        pongs,
    ),
}

STREAMS: dict[str, Case] = {
    "http2/5.1/1": (
        "idle: Sends a DATA frame",
        lambda c: c.data(1, b"test"),
        stream(PROTOCOL_ERROR, STREAM_CLOSED),
    ),
    "http2/5.1/2": (
        "idle: Sends a RST_STREAM frame",
        lambda c: c.rst(1),
        connection(PROTOCOL_ERROR),
    ),
    "http2/5.1/3": (
        "idle: Sends a WINDOW_UPDATE frame",
        lambda c: window_update(1, 100),
        connection(PROTOCOL_ERROR),
    ),
    "http2/5.1/4": (
        "idle: Sends a CONTINUATION frame",
        lambda c: c.continuation(1, dummy(c)),
        connection(PROTOCOL_ERROR),
    ),
    "http2/5.1/5": (
        "half closed (remote): Sends a DATA frame",
        lambda c: c.head(1) + c.data(1, b"test"),
        stream(STREAM_CLOSED),
    ),
    "http2/5.1/6": (
        "half closed (remote): Sends a HEADERS frame",
        lambda c: c.head(1) + c.head(1),
        stream(STREAM_CLOSED),
    ),
    "http2/5.1/7": (
        "half closed (remote): Sends a CONTINUATION frame",
        lambda c: c.head(1) + c.continuation(1, dummy(c)),
        stream(STREAM_CLOSED, PROTOCOL_ERROR),
    ),
    "http2/5.1/8": (
        "closed: Sends a DATA frame after sending RST_STREAM frame",
        lambda c: c.head(1, end=False) + c.rst(1) + c.data(1, b"test"),
        stream(STREAM_CLOSED),
    ),
    "http2/5.1/9": (
        "closed: Sends a HEADERS frame after sending RST_STREAM frame",
        lambda c: c.head(1, end=False) + c.rst(1) + c.head(1),
        stream(STREAM_CLOSED),
    ),
    "http2/5.1/10": (
        "closed: Sends a CONTINUATION frame after sending RST_STREAM frame",
        lambda c: c.head(1, end=False) + c.rst(1) + c.continuation(1, dummy(c)),
        stream(STREAM_CLOSED, PROTOCOL_ERROR),
    ),
    "http2/5.1/11": (
        "closed: Sends a DATA frame",
        lambda c: answered(c) + c.data(1, b"test"),
        stream(STREAM_CLOSED),
    ),
    "http2/5.1/12": (
        "closed: Sends a HEADERS frame",
        lambda c: answered(c) + c.head(1),
        connection(STREAM_CLOSED),
    ),
    "http2/5.1/13": (
        "closed: Sends a CONTINUATION frame",
        lambda c: answered(c) + c.continuation(1, dummy(c)),
        connection(STREAM_CLOSED, PROTOCOL_ERROR),
    ),
    "http2/5.1.1/1": (
        "Sends even-numbered stream identifier",
        lambda c: c.head(2),
        connection(PROTOCOL_ERROR),
    ),
    "http2/5.1.1/2": (
        "Sends stream identifier that is numerically smaller than previous",
        lambda c: c.head(5) + c.head(3),
        connection(PROTOCOL_ERROR),
    ),
    "http2/5.1.2/1": (
        "Sends HEADERS frames that causes their advertised concurrent stream limit to be exceeded",
        lambda c: b"".join(c.head(each, POST, end=False) for each in range(1, 205, 2)),
        lambda c: c.reset(201) == REFUSED_STREAM and c.goaway() is None,
    ),
    "http2/5.3.1/1": (
        "Sends HEADERS frame that depends on itself",
        lambda c: c.head(1, flags=END_HEADERS | HAS_PRIORITY, before=word(1) + b"\xff"),
        stream(PROTOCOL_ERROR),
    ),
    "http2/5.3.1/2": (
        "Sends PRIORITY frame that depend on itself",
        lambda c: priority(1, 1),
        stream(PROTOCOL_ERROR),
    ),
    "http2/5.4.1/1": (
        "Sends an invalid PING frame for connection close",
        lambda c: frame(PING, 0, 3, bytes(8)),
        lambda c: c.connection.is_over,
    ),
    "http2/5.4.1/2": (
        "Sends an invalid PING frame to receive GOAWAY frame",
        lambda c: frame(PING, 0, 3, bytes(8)),
        connection(PROTOCOL_ERROR),
    ),
    "http2/5.5/1": ("Sends an unknown extension frame", lambda c: UNUSED + c.ping(), pongs),
    "http2/5.5/2": (
        "Sends an unknown extension frame in the middle of a header block",
        lambda c: cut(c) + UNUSED + c.continuation(1, dummy(c)),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.5/1": (
        "Sends a SETTINGS frame with ACK flag and payload",
        lambda c: frame(SETTINGS, ACK, 0, b"\0"),
        connection(FRAME_SIZE_ERROR),
    ),
    "http2/6.5/2": (
        "Sends a SETTINGS frame with a stream identifier other than 0x0",
        lambda c: frame(SETTINGS, 0, 1, b"\0\3\0\0\0\x64"),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.5/3": (
        "Sends a SETTINGS frame with a length other than a multiple of 6 octets",
        lambda c: frame(SETTINGS, 0, 0, b"\0\3\0"),
        stream(FRAME_SIZE_ERROR),
    ),
    "http2/6.5.2/1": (
        "SETTINGS_ENABLE_PUSH (0x2): Sends the value other than 0 or 1",
        lambda c: settings((2, 2)),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.5.2/2": (
        "SETTINGS_INITIAL_WINDOW_SIZE (0x4): Sends the value above the maximum flow control"
        " window size",
        lambda c: settings((4, 2**31)),
        connection(FLOW_CONTROL_ERROR),
    ),
    "http2/6.5.2/3": (
        "SETTINGS_MAX_FRAME_SIZE (0x5): Sends the value below the initial value",
        lambda c: settings((5, FRAME_SIZE - 1)),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.5.2/4": (
        "SETTINGS_MAX_FRAME_SIZE (0x5): Sends the value above the maximum allowed frame size",
        lambda c: settings((5, 2**24)),
        connection(PROTOCOL_ERROR),
    ),
    "http2/6.5.2/5": (
        "Sends a SETTINGS frame with unknown identifier",
        lambda c: settings((0xFF, 1)) + c.ping(),
        pongs,
    ),
    "http2/6.5.3/1": (
        "Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE",
        lambda c: settings((4, 100), (4, 1)) + c.head(1),
        first_data(1),
    ),
    "http2/6.5.3/2": ("Sends a SETTINGS frame without ACK flag", lambda c: settings(), acks),
}

MESSAGES: dict[str, Case] = {
    "http2/8.1/1": (
        "Sends a second HEADERS frame without the END_STREAM flag",
        lambda c: c.head(1, POST, end=False) + c.head(1, ((b"x-test", b"ok"),), end=False),
        stream(PROTOCOL_ERROR),
    ),
    "http2/8.1.2/1": (
        "Sends a HEADERS frame that contains the header field name in uppercase letters",
        lambda c: c.head(1, (*GET, (b"X-TEST", b"ok"))),
        stream(PROTOCOL_ERROR),
    ),
    "http2/8.1.2.1/1": (
        "Sends a HEADERS frame that contains a unknown pseudo-header field",
        lambda c: c.head(1, (*GET, (b":test", b"ok"))),
        stream(PROTOCOL_ERROR),
    ),
    "http2/8.1.2.1/2": (
        "Sends a HEADERS frame that contains the pseudo-header field defined for response",
        lambda c: c.head(1, (*GET, (b":status", b"200"))),
        stream(PROTOCOL_ERROR),
    ),
    "http2/8.1.2.1/3": (
        "Sends a HEADERS frame that contains a pseudo-header field as trailers",
        lambda c: (
            c.head(1, POST, end=False)
            + c.data(1, b"test", end=False)
            + c.head(1, ((b":method", b"POST"),))
        ),
        stream(PROTOCOL_ERROR),
    ),
    "http2/8.1.2.1/4": (
        "Sends a HEADERS frame that contains a pseudo-header field that appears in a header block"
        " after a regular header field",
        lambda c: c.head(1, ((b"x-test", b"ok"), *GET)),
        stream(PROTOCOL_ERROR),
    ),
    "http2/8.1.2.2/1": (
        "Sends a HEADERS frame that contains the connection-specific header field",
        lambda c: c.head(1, (*GET, (b"connection", b"keep-alive"))),
        stream(PROTOCOL_ERROR),
    ),
    "http2/8.1.2.2/2": (
        "Sends a HEADERS frame that contains the TE header field with any value other than"
        ' "trailers"',
        lambda c: c.head(1, (*GET, (b"trailers", b"test"), (b"te", b"trailers, deflate"))),
        stream(PROTOCOL_ERROR),
    ),
    "http2/8.1.2.3/1": (
        'Sends a HEADERS frame with empty ":path" pseudo-header field',
        lambda c: c.head(1, (*GET[:2], (b":path", b""), GET[3])),
        stream(PROTOCOL_ERROR),
    ),
    "http2/8.1.2.3/2": (
        'Sends a HEADERS frame that omits ":method" pseudo-header field',
        lambda c: c.head(1, without(b":method")),
        stream(PROTOCOL_ERROR),
    ),
    "http2/8.1.2.3/3": (
        'Sends a HEADERS frame that omits ":scheme" pseudo-header field',
        lambda c: c.head(1, without(b":scheme")),
        stream(PROTOCOL_ERROR),
    ),
    "http2/8.1.2.3/4": (
        'Sends a HEADERS frame that omits ":path" pseudo-header field',
        lambda c: c.head(1, without(b":path")),
        stream(PROTOCOL_ERROR),
    ),
    "http2/8.1.2.3/5": (
        'Sends a HEADERS frame with duplicated ":method" pseudo-header field',
        lambda c: c.head(1, (*GET, GET[0])),
        stream(PROTOCOL_ERROR),
    ),
    "http2/8.1.2.3/6": (
        'Sends a HEADERS frame with duplicated ":scheme" pseudo-header field',
        lambda c: c.head(1, (*GET, GET[1])),
        stream(PROTOCOL_ERROR),
    ),
    "http2/8.1.2.3/7": (
        'Sends a HEADERS frame with duplicated ":path" pseudo-header field',
        lambda c: c.head(1, (*GET, GET[2])),
        stream(PROTOCOL_ERROR),
    ),
    "http2/8.1.2.6/1": (
        'Sends a HEADERS frame with the "content-length" header field which does not equal the'
        " DATA frame payload length",
        lambda c: c.head(1, (*POST, (b"content-length", b"1")), end=False) + c.data(1, b"test"),
        stream(PROTOCOL_ERROR),
    ),
    "http2/8.1.2.6/2": (
        'Sends a HEADERS frame with the "content-length" header field which does not equal the'
        " sum of the multiple DATA frames payload length",
        lambda c: (
            c.head(1, (*POST, (b"content-length", b"1")), end=False)
            + c.data(1, b"test", end=False)
            + c.data(1, b"test")
        ),
        stream(PROTOCOL_ERROR),
    ),
    "http2/8.2/1": (
        "Sends a PUSH_PROMISE frame",
        lambda c: frame(PUSH_PROMISE, END_HEADERS, 1, word(3) + REQUEST),
        connection(PROTOCOL_ERROR),
    ),
}

WITHOUT_HANDSHAKE = {"generic/1/1", "http2/3.5/1", "http2/3.5/2"}

UNANSWERED = {"http2/5.1.2/1", "http2/5.1/5", "http2/5.1/6", "http2/6.1/2"}
"""Cases whose streams must stay open."""

REFUSED = {name for name in MESSAGES if not name.startswith("http2/8.2")}
"""Cases whose requests must not reach an endpoint whole."""


def answered(c: Client) -> bytes:
    """A request whose answer comes before anything else is sent."""
    c.send(c.head(1))
    return b""


class ConformanceTests(SynchronousTestCase):
    """A test for each case is added below."""

    def run_case(self, name: str, split: int) -> None:
        _, send, check = CASES[name]
        client = Client(None if name in UNANSWERED else b"hello", split=split)
        if name not in WITHOUT_HANDSHAKE:
            client.handshake()
        client.send(send(client))
        self.assertTrue(check(client), f"{client.frames}")

    def test_count(self) -> None:
        """The table has all cases that h2spec's sources have."""
        groups = Counter(name.partition("/")[0] for name in CASES)
        self.assertEqual(groups, {"generic": 44, "http2": 95, "hpack": 8})


CASES = {**GENERIC, **HPACK, **FRAMES, **STREAMS, **MESSAGES}


def _add(name: str, description: str) -> None:
    def whole(self: ConformanceTests) -> None:
        self.run_case(name, 0)

    def bytewise(self: ConformanceTests) -> None:
        self.run_case(name, 1)

    plain = name.replace("/", "_").replace(".", "_")
    for test, suffix in ((whole, ""), (bytewise, "_bytewise")):
        test.__doc__ = f"{name}: {description}."
        setattr(ConformanceTests, f"test_{plain}{suffix}", test)


for _name, _case in CASES.items():
    _add(_name, _case[0])
