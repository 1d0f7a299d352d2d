"""
``python -m tests.fuzz.downgrade --seconds 60``: HTTP/2 in, HTTP/1.1 out, through the data plane.

Clients send heads, bodies and trailers as evil as they like on several streams at once. Endpoints
record what they get and read it by a strict reader of their own: each stream is one request or none,
with the same meaning, and each response goes to the stream that it belongs to.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from random import Random

import hpack

from ingress.http2.frame import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY_UPDATE,
    RST_STREAM,
)
from tests.fuzz.campaign import no_failures, run
from tests.fuzz.strict_http1 import StrictReader, StrictRequest
from tests.support.corpus import BAD_REQUESTS
from tests.support.http2_client import Frame, frame, read_frames, settings, window_update, word
from tests.support.wire import Peer, Wire

Fields = list[tuple[bytes, bytes]]

EVIL = (
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"/", b"a", b"\x7f", b"chunked", b"HTTP/1.1",
    b"x: y\r\n\r\nGET /evil HTTP/1.1\r\nHost: b\r\n\r\n", b"0\r\n\r\n", b"\xc4\x8d\xc4\x8a", b"#",
    b"?", b"@", b"\\", b"..", b"//", b"%0d%0a", b"%00", b"*", b"http://b/", b",", b";", b"+", b"_",
    b"\r\nx-evil: 1", b"\r\ncontent-length: 0", b"\nx-evil: 1", b"\rx-evil: 1", b"1\r\nhost: b",
)  # fmt: skip
NAMES = (
    b"content-length", b"transfer-encoding", b"connection", b"te", b"host", b"expect", b"trailer",
    b"upgrade", b"cookie", b"http2-settings", b"content_length", b"Transfer-Encoding", b":path",
    b"transfer-encoding ", b":method", b":protocol", b":authority", b"keep-alive", b"x-a", b"x-b",
    b"sec-websocket-key", b"x-http-method-override", b"forwarded", b"proxy-connection", b"via",
)  # fmt: skip
VALUES = (
    b"0", b"5", b"+5", b"05", b"5, 5", b"0x5", b"chunked", b"identity", b"trailers", b"100-continue",
    b"close", b"websocket", b"h2c", b"x-a", b"GET", b"1",
)  # fmt: skip
PLAIN = (
    (b"x-a", b"1"), (b"x-b", b"b" * 50), (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"accept", b"*/*"),
    (b"te", b"trailers"), (b"expect", b"100-continue"), (b"user-agent", b"fuzz"), (b"x-c", b"\xe4"),
)  # fmt: skip
COMPARED = (b"x-a", b"x-b", b"x-c", b"accept", b"user-agent")
"""Fields that nobody adds, changes or removes, unless `connection` could name them."""

ADDED = frozenset(
    {b"host", b"connection", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port",
     b"x-forwarded-proto", b"x-forwarded-scheme", b"x-real-ip", b"x-request-id", b"x-scheme",
     b"cdn-loop", b"transfer-encoding", b"upgrade", b"sec-websocket-version", b"sec-websocket-key"}
)  # fmt: skip
"""Fields that the proxy writes itself."""


@dataclass
class Sent:
    """A stream of the client, as it was sent."""

    fields: Fields
    is_odd: bool
    is_tunnel: bool = False
    body: bytes = b""
    is_whole: bool = False
    is_reset: bool = False
    trailers: Fields = field(default_factory=list)

    def value(self, name: bytes) -> bytes:
        return dict(self.fields).get(name, b"")


class Downgrade:
    """One connection of a client, and the endpoints behind the proxy."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.wire = Wire()
        self.client = self.wire.connect()
        self.client.send(PREFACE + settings((4, 1 << 20)) + window_update(0, 1 << 24))
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.sent: dict[int, Sent] = {}
        self.open: list[int] = []
        self.endpoints: list[tuple[Peer, StreamRecord]] = []
        self.answers: dict[int, bytes] = {}
        self.received = b""
        self.is_over = False

    def run(self) -> None:
        for _ in range(self.random.randrange(1, 25)):
            if not self.random.randrange(5):
                self.send(self.control())
            elif not self.open or not self.random.randrange(4):
                self.begin()
            else:
                self.go_on(self.random.choice(self.open))
            self.look()
        self.send(settings((4, 1 << 20)))
        for stream_id in self.open[:]:
            if self.random.randrange(4):
                self.data(stream_id, is_end=True)
        for _ in range(3):
            self.look(is_last=True)

    # The client.

    def text(self) -> bytes:
        random = self.random
        if not random.randrange(4):
            return random.randbytes(random.randrange(6))
        return b"".join(random.choice(EVIL) for _ in range(random.randrange(1, 4)))

    def control(self) -> bytes:
        """A frame that is about no message."""
        random = self.random
        kind = random.randrange(5)
        if kind < 2:
            return settings((4, random.choice([0, 1, 100, 65_535, 1 << 20])))
        if kind == 2:
            return window_update(random.choice([0, *self.sent]), random.choice([1, 1000]))
        if kind == 3:
            return frame(PING, 0, 0, bytes(8))
        return frame(PRIORITY_UPDATE, 0, 0, word(2 * random.randrange(9) + 1) + b"u=1")

    def begin(self) -> None:
        random = self.random
        stream_id = 2 * len(self.sent) + 1
        method = random.choice([b"GET", b"POST", b"POST", b"PUT", b"HEAD"])
        pseudo = [
            (b":method", method), (b":scheme", random.choice([b"http", b"https"])),
            (b":path", b"/%d/" % stream_id), (b":authority", b"a.example"),
        ]  # fmt: skip
        sent = Sent([*pseudo], is_odd=False)
        if not random.randrange(8):
            sent.is_tunnel = True
            sent.fields[0] = (b":method", b"CONNECT")
            sent.fields.append((b":protocol", b"websocket"))
            sent.fields.append((b"sec-websocket-version", b"13"))
        sent.fields += (random.choice(PLAIN) for _ in range(random.randrange(4)))
        if not random.randrange(4):
            sent.is_odd = True
            sent.fields.append((b"content-length", random.choice([b"0", b"1", b"5", b"99"])))
        if not random.randrange(3):
            sent.is_odd = True
            for _ in range(random.randrange(1, 3)):
                self.spoil(sent.fields)
        is_end = not sent.is_tunnel and not random.randrange(2)
        sent.is_whole = is_end
        self.sent[stream_id] = sent
        if not is_end:
            self.open.append(stream_id)
        self.head(stream_id, sent.fields, is_end=is_end)

    def spoil(self, fields: Fields) -> None:
        """Put something evil into a head."""
        random = self.random
        kind = random.randrange(6)
        at = random.randrange(len(fields) + 1)
        if kind == 0:
            fields.insert(at, (self.text(), random.choice(VALUES)))
        elif kind == 1:
            fields.insert(at, (random.choice(NAMES), self.text()))
        elif kind == 2:
            fields.append((random.choice(NAMES), random.choice(VALUES)))
        else:
            at %= len(fields)
            name, value = fields[at]
            if kind == 3:
                fields[at] = (name, value + self.text())
            elif kind == 4:
                fields[at] = (name, self.text() + value)
            else:
                fields[at] = (name + self.text(), value)

    def head(self, stream_id: int, fields: Fields, *, is_end: bool) -> None:
        block = self.encoder.encode([hpack.HeaderTuple(*each) for each in fields])
        flags = END_STREAM if is_end else 0
        if self.random.randrange(5) or len(block) < 2:
            self.send(frame(HEADERS, flags | END_HEADERS, stream_id, block))
        else:
            cut = self.random.randrange(1, len(block))
            self.send(frame(HEADERS, flags, stream_id, block[:cut]))
            self.send(frame(CONTINUATION, END_HEADERS, stream_id, block[cut:]))

    def go_on(self, stream_id: int) -> None:
        random = self.random
        kind = random.randrange(12)
        sent = self.sent[stream_id]
        if kind < 9 or sent.is_tunnel:
            self.data(stream_id, is_end=not random.randrange(4))
        elif kind < 11:
            sent.trailers = [(b"x-sum", b"1")]
            if not random.randrange(2):
                sent.is_odd = True
                self.spoil(sent.trailers)
            sent.is_whole = True
            self.open.remove(stream_id)
            self.head(stream_id, sent.trailers, is_end=True)
        else:
            sent.is_reset = True
            self.open.remove(stream_id)
            self.send(frame(RST_STREAM, 0, stream_id, word(8)))

    def data(self, stream_id: int, *, is_end: bool) -> None:
        random = self.random
        sent = self.sent[stream_id]
        piece = random.choice(
            [random.randbytes(random.randrange(1, 300)), self.text() or b"x", random.choice(BODIES)]
        )
        sent.body += piece
        if is_end:
            sent.is_whole = True
            self.open.remove(stream_id)
        self.send(frame(DATA, END_STREAM if is_end else 0, stream_id, piece))

    def send(self, data: bytes) -> None:
        if not self.is_over:
            self.client.send_some(data)

    # What comes.

    def look(self, *, is_last: bool = False) -> None:
        """Let the endpoints read and answer, and the client read."""
        while self.wire.dials:
            self.endpoints.append((self.wire.accept(), StreamRecord()))
        for peer, record in self.endpoints:
            record.reader.feed(peer.read())
            answer = record.answer(self.random, is_last=is_last)
            if answer and peer.is_open:
                peer.send_some(answer)
        self.received += self.client.read()
        frames, self.received = whole_frames(self.received)
        for each in frames:
            self.take(each)
        if not self.client.is_open:
            self.is_over = True

    def take(self, each: Frame) -> None:
        if each.kind == HEADERS:
            self.decoder.decode(each.payload, raw=True)
        elif each.kind == DATA:
            self.answers[each.stream_id] = self.answers.get(each.stream_id, b"") + each.payload
        elif each.kind == GOAWAY:
            self.is_over = True

    # The verdict.

    def check(self) -> None:
        found: dict[int, StrictRequest] = {}
        for peer, record in self.endpoints:
            requests = record.reader.requests
            for request in requests:
                stream_id = self.stream_of(request)
                assert stream_id not in found, f"stream {stream_id} is two requests"
                found[stream_id] = request
                self.check_request(self.sent[stream_id], request)
            for request in requests[:-1]:
                assert request.is_whole, request
            if peer.is_open and not record.reader.requests:
                assert not record.reader.rest, record.reader.rest
        for stream_id, sent in self.sent.items():
            self.check_answer(stream_id, sent, found.get(stream_id))

    def stream_of(self, request: StrictRequest) -> int:
        targets = [
            stream_id
            for stream_id, sent in self.sent.items()
            if sent.value(b":path") == request.target
        ]
        assert len(targets) == 1, f"nobody, or two, asked for {request.target!r}"
        return targets[0]

    def check_request(self, sent: Sent, request: StrictRequest) -> None:
        context = (sent, request)
        method = b"GET" if sent.is_tunnel else sent.value(b":method")
        assert request.method == method, context
        assert request.is_tunnel == sent.is_tunnel, context
        hosts = {value.lower() for key, value in sent.fields if key in (b":authority", b"host")}
        assert {value.lower() for value in request.values(b"host")} == hosts, context
        pseudo = [key for key, _ in sent.fields if key.startswith(b":")]
        assert len(pseudo) == len(set(pseudo)), context
        assert sent.body.startswith(request.body), context
        if request.values(b"content-length"):
            # It may be whole before the client sends too much, which is dropped.
            length = int(request.values(b"content-length")[0])
            assert not request.is_whole or len(request.body) == length, context
            assert length or sent.body == b"", context
        elif request.is_whole:
            assert sent.is_whole, context
            assert request.body == sent.body, context
        elif sent.is_whole and not sent.is_odd and not self.is_over and not request.is_tunnel:
            raise AssertionError(f"a request never ends: {context}")
        options = dict(sent.fields).get(b"connection", b"")
        assert not options, context
        for name in COMPARED:
            values = [value.strip(b" \t") for key, value in sent.fields if key == name]
            assert request.values(name) == values, context
        cookies = [value for key, value in sent.fields if key == b"cookie"]
        assert request.values(b"cookie") == ([b"; ".join(cookies).strip()] if cookies else []), (
            context
        )
        names = {name for name, _ in sent.fields}
        for name, _ in request.fields:
            assert name in names or name in ADDED, context

    def check_answer(self, stream_id: int, sent: Sent, request: StrictRequest | None) -> None:
        answer = self.answers.get(stream_id, b"")
        context = (stream_id, sent, request, answer)
        if request is None:
            assert not answer.startswith(b"you asked for"), context
            assert sent.is_odd or sent.is_reset or self.is_over or not sent.is_whole, context
        elif answer.startswith(b"you asked for"):
            assert b"you asked for %b." % request.target == answer, context


def whole_frames(data: bytes) -> tuple[list[Frame], bytes]:
    """:return: the whole frames at the beginning, and the rest."""
    end = 0
    while len(data) >= end + 9:
        size = 9 + int.from_bytes(data[end : end + 3], "big")
        if len(data) < end + size:
            break
        end += size
    return read_frames(data[:end]), data[end:]


class StreamRecord:
    """What one connection to an endpoint has got, and which of it was answered."""

    def __init__(self) -> None:
        self.reader = StrictReader()
        self._answered = 0

    def answer(self, random: Random, *, is_last: bool) -> bytes:
        """:return: the answers that are due; a request that is not whole is not always waited for."""
        data = b""
        for request in self.reader.requests[self._answered :]:
            if request.is_tunnel:
                self._answered += 1
                data += SWITCHING
                continue
            if not request.is_whole or (not is_last and random.randrange(2)):
                break
            self._answered += 1
            body = b"" if request.method == b"HEAD" else b"you asked for %b." % request.target
            if random.randrange(2):
                data += b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            elif body:
                chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
                data += b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk
            else:
                data += b"HTTP/1.1 204 No Content\r\n\r\n"
        return data


SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
BODIES = tuple(data for data in BAD_REQUESTS.values() if 0 < len(data) < 500)


def check(random: Random) -> None:
    """One connection."""
    with no_failures():
        downgrade = Downgrade(random)
        downgrade.run()
        downgrade.check()


if __name__ == "__main__":
    sys.exit(run("downgrade", check))
