"""
The same bytes as several parsers read them: ours, h11, llhttp and `http.server`.

A message that two of them end at different bytes is what request smuggling is made
of. So each that ours accepts is given to the others cut out exactly: they must take
it for one whole message, with nothing missing and nothing left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from itertools import pairwise

import h11
import httptools

from ingress.config import Limits
from ingress.errors import PeerError, ResponseError
from ingress.http1.body import BodyDecoder
from ingress.http1.decoder import RequestDecoder
from ingress.http1.head import HEAD_END
from ingress.http1.response_head import check_unfinished_response_head, parse_response_head
from ingress.message import Request, Response

LIMITS = Limits()
NO_LIMIT = 1 << 24
"""Bytes: h11 must not refuse for size what ours has room for."""

FieldLines = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Reading:
    """One message; names of fields in lower case."""

    start: tuple[bytes, bytes]
    """Method and target, or status and reason."""

    fields: FieldLines
    body: bytes


@dataclass(frozen=True)
class Taken:
    """What ours made of the bytes of a connection."""

    readings: list[Reading]
    wires: list[bytes]
    """The bytes of each of the readings."""

    refusal: int
    """The status with which the next message is refused; 0 for none."""

    has_begun: bool
    """Whether a head was accepted whose body is not whole."""

    rest: bytes
    """What follows the readings."""


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """`data` in pieces, cut at these places."""
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


def bytewise(data: bytes) -> list[bytes]:
    """Byte by byte, or in small pieces where that would take too long."""
    step = 1 if len(data) < 4096 else 499
    return [data[i : i + step] for i in range(0, len(data), step)]


# Ours.


class _Requests:
    """A `RequestDecoder`, and what came out of it."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.sizes: list[int] = []
        self.head: Request | None = None
        self._decoder = RequestDecoder()
        self._fed = 0
        self._body = b""

    def feed(self, piece: bytes) -> None:
        """:raises PeerError: where what has come must be refused."""
        self._fed += len(piece)
        self._decoder.waiting += piece
        while self._take():
            pass

    def _take(self) -> bool:
        if self.head is None:
            self.head = self._decoder.take_head(LIMITS)
            if self.head is None:
                return False
            self._body = b""
        if self._decoder.is_in_body:
            if not self._decoder.waiting:
                return False
            self._body += self._decoder.take_body()
            if self._decoder.is_in_body:
                return False
        head, self.head = self.head, None
        fields = [(key, value) for key, _, value in head.fields]
        if head.authority:
            fields.insert(0, (b"host", head.authority))
        self.readings.append(Reading((head.method, head.target), fields, self._body))
        self.sizes.append(self._fed - len(self._decoder.waiting))
        return True


def our_requests(data: bytes, pieces: Sequence[bytes]) -> Taken:
    """
    :param pieces: of `data`, in which it comes.
    """
    requests = _Requests()
    refusal = 0
    try:
        for piece in pieces:
            requests.feed(piece)
    except PeerError as error:
        refusal = error.status
    edges = [0, *requests.sizes]
    wires = [data[a:b] for a, b in pairwise(edges)]
    return Taken(requests.readings, wires, refusal, requests.head is not None, data[edges[-1] :])


def our_response(pieces: Sequence[bytes], method: bytes, *, is_end: bool) -> tuple[Taken, str]:
    """
    The final response in what an endpoint sends, as `HTTP1Upstream` takes it.

    :param is_end: whether the connection ends behind the pieces.
    :return: its reading as the only one, if it is whole, and ``whole``, ``cut`` or
        ``refused``.
    """
    buffer = b""
    body: BodyDecoder | None = None
    head: Response | None = None
    content = b""
    rest = b""
    try:
        for piece in pieces:
            buffer = rest + piece if body is not None and body.is_complete else buffer + piece
            while body is None and HEAD_END in buffer:
                end = buffer.index(HEAD_END) + len(HEAD_END)
                head, new_body = parse_response_head(buffer[:end], method)
                body = new_body()
                buffer = buffer[end:]
                if head.status == 101:
                    raise ResponseError("Nobody asked for another protocol.")
                if head.status < 200:
                    body = None
            if body is None:
                if buffer:
                    check_unfinished_response_head(buffer)
            elif body.is_complete:
                rest = buffer
            else:
                more, rest = body.feed(buffer)
                content += more
                buffer = b""
    except PeerError as error:
        return Taken([], [], error.status, head is not None, b""), "refused"
    if head is None or body is None or not (body.is_complete or (is_end and body.close())):
        return Taken([], [], 0, head is not None, b""), "cut"
    fields = [(key, value) for key, _, value in head.fields]
    reading = Reading((b"%d" % head.status, head.reason), fields, content)
    return Taken([reading], [], 0, False, rest), "whole"


# Theirs. Each says what it makes of exactly one message.


class NotOne(AssertionError):
    """The bytes are not exactly one message for this parser, or none at all."""


def h11_request(wire: bytes) -> Reading:
    """:raises NotOne: if it sees less or more than one request."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=NO_LIMIT)
    return _h11_message(connection, wire)


def h11_response(wire: bytes, method: bytes, *, is_end: bool) -> Reading:
    """:raises NotOne: if it sees less or more than one final response."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=NO_LIMIT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    return _h11_message(connection, wire, is_end=is_end)


def _h11_message(connection: h11.Connection, wire: bytes, *, is_end: bool = False) -> Reading:
    start = (b"", b"")
    fields: FieldLines = []
    body = b""
    try:
        connection.receive_data(wire)
        if is_end:
            connection.receive_data(b"")
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                start, fields = (event.method, event.target), list(event.headers)
            elif isinstance(event, h11.Response):
                start, fields = (b"%d" % event.status_code, event.reason), list(event.headers)
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            elif not isinstance(event, h11.InformationalResponse):
                raise NotOne(f"h11 waits for more: {event}")
    except h11.RemoteProtocolError as error:
        raise NotOne(f"h11 refuses it: {error}") from None
    rest = connection.trailing_data[0]
    if rest:
        raise NotOne(f"h11 sees {rest!r} left")
    return Reading(start, fields, body)


def host_first(fields: FieldLines) -> FieldLines:
    """Where we have it, whatever its place was; without one that names no host."""
    hosts = [(name, value) for name, value in fields if name == b"host" and value]
    return hosts + [field for field in fields if field[0] != b"host"]


def plain_fields(fields: FieldLines) -> FieldLines:
    """With the value of Transfer-Encoding as h11 hands it out."""
    return [(k, v.lower() if k == b"transfer-encoding" else v) for k, v in fields]


class _LLHTTP:
    """What llhttp calls."""

    def __init__(self) -> None:
        self.target = b""
        self.reason = b""
        self.fields: FieldLines = []
        self.body = b""
        self.complete = 0
        self._is_in_head = True

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_status(self, status: bytes) -> None:
        self.reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        # It calls this for trailers, too.
        if self._is_in_head:
            self.fields.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self._is_in_head = False

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete += 1


def llhttp_request(wire: bytes) -> Reading | None:
    """
    :return: None where it cannot be compared: behind a head with Upgrade it leaves the
        body to others.
    :raises NotOne: if it sees less or more than one request.
    """
    seen = _LLHTTP()
    parser = httptools.HttpRequestParser(seen)
    try:
        parser.feed_data(wire[:-1])
        early = seen.complete
        parser.feed_data(wire[-1:])
    except httptools.HttpParserUpgrade:
        return None
    except httptools.HttpParserError as error:
        raise NotOne(f"llhttp refuses it: {error!r}") from None
    if (early, seen.complete) != (0, 1):
        raise NotOne(f"llhttp sees {early} requests before the last byte, then {seen.complete}")
    return Reading((parser.get_method(), seen.target), seen.fields, seen.body)


class _Handler(BaseHTTPRequestHandler):
    """The head that `http.server` reads, without any socket."""

    def __init__(self, wire: bytes) -> None:
        self.rfile = BytesIO(wire)
        self.raw_requestline = self.rfile.readline(65537)
        self.requestline = ""
        self.request_version = ""
        self.command = ""
        self.is_refused = not self.parse_request()

    def send_error(self, *_: object, **__: object) -> None:
        """BaseHTTPRequestHandler: there is nobody to send it to."""

    def handle_expect_100(self) -> bool:
        """BaseHTTPRequestHandler: there is nobody to send it to."""
        return True


def stdlib_head(wire: bytes) -> Reading:
    """
    The head alone, and what follows it for the body.

    :raises NotOne: if it refuses it.
    """
    handler = _Handler(wire)
    if handler.is_refused:
        raise NotOne("http.server refuses it")
    fields = [
        (name.lower().encode("latin-1"), value.strip(" \t").encode("latin-1"))
        for name, value in handler.headers.items()
    ]
    start = (handler.command.encode("latin-1"), handler.path.encode("latin-1"))
    return Reading(start, fields, handler.rfile.read())
