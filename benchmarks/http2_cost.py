"""
The processor time of HTTP/2's codec alone: requests in bytes in, responses in bytes out.

    python -m benchmarks.http2_cost [EXCHANGES]

Run it on compiled modules, which ``make test-compiled`` leaves in build/compiled. The client's
bytes are made in advance. After the first request each one refers to the dynamic table, as those of
browsers do.
"""

from __future__ import annotations

import gc
import sys
from time import process_time

import hpack

from ingress.config import Limits
from ingress.encoded_fields import EncodedFields
from ingress.http2.counts import HTTP2Counts
from ingress.http2.frame import PREFACE, headers_frames, settings_frame
from ingress.http2.hpack_encoder import encode_fields, encode_status
from ingress.http2.server import ServerConnection, ServerEvents
from ingress.http2.stream import Stream, StreamUser
from ingress.installation import describe
from ingress.message import Request

STREAMS = 10
"""Streams in one read."""

FIELDS = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", b"shop.example.com"),
    (b":path", b"/static/images/logo-1234.png?v=20240101"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    (b"accept", b"image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"),
    (b"accept-language", b"en-US,en;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"referer", b"https://shop.example.com/products/1234"),
    (b"cookie", b"session=0123456789abcdef0123456789abcdef; theme=dark"),
    (b"sec-fetch-dest", b"image"),
    (b"sec-fetch-mode", b"no-cors"),
    (b"sec-fetch-site", b"same-origin"),
    (b"te", b"trailers"),
]

RESPONSE = EncodedFields(
    [
        (b"Server", b"endpoint"),
        (b"Date", b"Mon, 30 Nov 2026 12:00:00 GMT"),
        (b"Content-Type", b"image/png"),
        (b"Content-Length", b"128"),
        (b"Cache-Control", b"max-age=3600"),
        (b"ETag", b'"0123456789abcdef"'),
    ]
)

BODY = b"x" * 128


class Answering(ServerEvents):
    """Answers each request at once."""

    def request_received(self, stream: Stream, request: Request) -> None:
        stream.events = StreamUser()
        stream.send_head(encode_status(200) + encode_fields(RESPONSE), is_end=False)
        stream.send_data(BODY)
        stream.end()


def client_reads(exchanges: int) -> tuple[bytes, list[bytes]]:
    """:return: the beginning of a client's bytes, and its reads of `STREAMS` requests each."""
    encoder = hpack.Encoder()
    first = headers_frames(1, encoder.encode(FIELDS), is_end=True)
    reads: list[bytes] = []
    stream_id = 3
    for _ in range(exchanges // STREAMS):
        frames: list[bytes] = []
        for _ in range(STREAMS):
            frames.append(headers_frames(stream_id, encoder.encode(FIELDS), is_end=True))
            stream_id += 2
        reads.append(b"".join(frames))
    return PREFACE + settings_frame(((4, 1 << 30),)) + first, reads


def measure(exchanges: int) -> float:
    """:return: microseconds of processor time for one exchange."""
    begin, reads = client_reads(exchanges)
    # No window of the connection ends the run.
    update = b"\0\0\x04\x08\0\0\0\0\0" + (2**30).to_bytes(4, "big")
    connection = ServerConnection(Answering(), Limits(), 100, process_time, HTTP2Counts())
    connection.receive(begin + update)
    connection.begin()
    connection.take()
    started = process_time()
    for read in reads:
        connection.receive(read)
        connection.begin()
        while connection.take():
            pass
    took = process_time() - started
    assert connection.fault is None
    assert not connection.streams
    return took / len(reads) / STREAMS * 1e6


def main() -> None:
    exchanges = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    gc.disable()
    print(describe())
    print(f"{min(measure(exchanges) for _ in range(5)):.2f} us an exchange")


if __name__ == "__main__":
    main()
