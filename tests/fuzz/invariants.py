"""
What must hold for whatever bytes come: the same for hypothesis and for atheris.

Each function raises an AssertionError that shows the bytes, or whatever exception
our own code raised that it should not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import h11

from ingress.config import Config, Limits
from ingress.errors import PeerError, RequestError
from ingress.http1.body import ChunkedBody
from tests.fuzz.readings import (
    NO_LIMIT,
    NotOne,
    Reading,
    Taken,
    bytewise,
    cut,
    h11_request,
    h11_response,
    host_first,
    llhttp_request,
    our_requests,
    our_response,
    plain_fields,
    stdlib_head,
)
from tests.support.wire import ENDPOINT, GET, OK, Peer, Wire

_SCHEME = re.compile(rb"https?://[^/?]*", re.IGNORECASE)
_CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def check_requests(data: bytes, places: Sequence[int]) -> Taken:
    """The bytes of a client's connection, cut at these places."""
    taken = our_requests(data, [data])
    for pieces in (cut(data, places), bytewise(data)):
        other = our_requests(data, pieces)
        assert _is_same(other, taken), f"cut: {data!r}: {taken} {other}"
    for reading, wire in zip(taken.readings, taken.wires, strict=True):
        # Ours overlooks any number of empty lines before a request; others, one.
        _check_agreement(reading, wire.lstrip(b"\r\n"))
    return taken


_SEVEN_BITS = bytes(range(0x80)) + b"~" * 0x80
"""
Reads every byte from 0x80 as the same other character. A query may have such bytes, which pass as
they are (docs/compatibility.md, section 5, "Characters"); h11, llhttp and http.server refuse them.
"""

_TRAILERS = re.compile(rb"\r\n0+(?:;[^\r\n]*)?\r\n((?:[^\r\n]+\r\n)*\r\n)\Z")
_FRAMING_LINE = re.compile(
    rb"^(?:content-length|transfer-encoding):[^\r\n]*\r\n", re.IGNORECASE | re.MULTILINE
)
_REQUEST_LINE = re.compile(rb"(?:\r\n)*[^\r\n]*")


def _is_same(one: Taken, other: Taken) -> bool:
    """But for the kind of refusal: a line may be found too long before it is found wrong."""
    return (one.readings, one.wires, bool(one.refusal), one.has_begun) == (
        other.readings,
        other.wires,
        bool(other.refusal),
        other.has_begun,
    )


def _check_agreement(ours: Reading, wire: bytes) -> None:
    """All others accept it, and see the same message in it."""
    wire = _REQUEST_LINE.sub(lambda line: line[0].translate(_SEVEN_BITS), wire, count=1)
    method, target = ours.start
    ours = Reading((method, target.translate(_SEVEN_BITS)), ours.fields, ours.body)
    try:
        for read in (h11_request, llhttp_request):
            theirs = read(wire)
            if theirs is not None:
                assert _plain(theirs) == _plain(ours), f"{wire!r}: {ours} {theirs}"
        theirs = stdlib_head(wire)
    except NotOne as error:
        raise AssertionError(f"{wire!r}: {error}") from None
    assert host_first(theirs.fields) == ours.fields, f"{wire!r}: {ours} {theirs}"
    # It makes one slash of several at the beginning.
    targets = {_plain(r).start[1].lstrip(b"/") for r in (theirs, ours)}
    assert len(targets) == 1, f"{wire!r}: {ours} {theirs}"
    assert wire.endswith(theirs.body), wire


def _plain(reading: Reading) -> Reading:
    """With its target in the form in which ours is sent on."""
    method, target = reading.start
    rest = _SCHEME.sub(b"", target, count=1) if not target.startswith(b"/") else target
    if rest != target and not rest.startswith(b"/"):
        rest = b"*" if method == b"OPTIONS" and not rest else b"/" + rest
    return Reading((method, rest), host_first(plain_fields(reading.fields)), reading.body)


def check_forwarding(data: bytes, places: Sequence[int]) -> None:
    """
    Through the whole data plane: endpoints see, for h11, exactly the requests that were
    accepted, with the same bodies, and the client gets exactly their answers.

    Nothing is said of connections that begin as HTTP/2.
    """
    if data.startswith(b"PRI * HTTP/2.0\r\n"):
        return
    taken = our_requests(data, [data])
    # Else the preface of HTTP/2 would not be refused.
    wire = Wire(ENDPOINT, config=Config(limits=Limits(http2_streams=0)))
    client = wire.connect()
    endpoints = _Endpoints(wire)
    for piece in cut(data, places):
        client.send_some(piece)
        endpoints.answer()
    answer = client.read()
    served, is_over = _until_close(taken)
    accepted = [
        (r.start[0], r.start[1].translate(_SEVEN_BITS), r.body.translate(_SEVEN_BITS))
        for r in served
    ]
    assert endpoints.whole == accepted, f"{data!r}: {endpoints.whole} {accepted}"
    begun = 1 if taken.has_begun and not is_over else 0
    assert endpoints.begun - len(endpoints.whole) <= begun, f"{data!r}: more than was sent"
    if is_over or taken.refusal:
        assert not client.is_open, f"{data!r}: open"
    if taken.refusal and not is_over:
        assert answer.count(b"HTTP/1.1 %d " % taken.refusal) == 1, f"{data!r}: {answer!r}"


def _until_close(taken: Taken) -> tuple[list[Reading], bool]:
    """The requests up to the first after which the connection ends, and whether one is."""
    for index, (reading, wire) in enumerate(zip(taken.readings, taken.wires, strict=True), 1):
        options = b",".join(v for k, v in reading.fields if k == b"connection").lower()
        members = {option.strip(b" \t") for option in options.split(b",")}
        is_http_10 = wire.lstrip(b"\r\n").partition(b"\r\n")[0].endswith(b"HTTP/1.0")
        if b"close" in members or (is_http_10 and b"keep-alive" not in members):
            return taken.readings[:index], True
    return taken.readings, False


class _Endpoints:
    """Whatever the proxy connects to: h11 reads it, and answers each request at its end."""

    def __init__(self, wire: Wire) -> None:
        self.whole: list[tuple[bytes, bytes, bytes]] = []
        """Method, target and body of each whole request, in order."""

        self.begun = 0
        """Heads that were seen."""

        self._wire = wire
        self._open: list[tuple[Peer, _Served]] = []

    def answer(self) -> None:
        """Read and answer until nothing moves any more."""
        is_moving = True
        while is_moving:
            is_moving = False
            self._wire.network.settle()
            while self._wire.dials:
                self._open.append((self._wire.accept(), _Served()))
                is_moving = True
            for peer, served in self._open:
                data = peer.read().translate(_SEVEN_BITS)
                heads, whole = served.feed(data)
                self.begun += heads
                for request in whole:
                    self.whole.append(request)
                    peer.send_some(OK)
                    is_moving = True


class _Served:
    """One connection, as h11 reads it."""

    def __init__(self) -> None:
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=NO_LIMIT)
        self._start = (b"", b"")
        self._body = b""

    def feed(self, data: bytes) -> tuple[int, list[tuple[bytes, bytes, bytes]]]:
        """:return: how many heads began, and the requests that are whole now."""
        heads, whole = 0, []
        if data:
            self._connection.receive_data(data)
        while True:
            # What we send must never make it raise.
            event = self._connection.next_event()
            if isinstance(event, h11.Request):
                heads += 1
                self._start, self._body = (event.method, event.target), b""
            elif isinstance(event, h11.Data):
                self._body += event.data
            elif isinstance(event, h11.EndOfMessage):
                whole.append((*self._start, self._body))
                fields = [("Content-Length", "0")]
                self._connection.send(h11.Response(status_code=200, headers=fields))
                self._connection.send(h11.EndOfMessage())
                if self._connection.our_state is not h11.DONE:
                    return heads, whole
                self._connection.start_next_cycle()
            else:
                return heads, whole


def check_chunks(data: bytes, places: Sequence[int]) -> None:
    """The bytes behind a head that says ``chunked``."""
    outcomes = {_chunks(pieces) for pieces in ([data], cut(data, places), bytewise(data))}
    assert len(outcomes) == 1, f"cut: {data!r}: {outcomes}"
    body, size = outcomes.pop()
    if size < 0:
        return
    wire = _CHUNKED + data[:size]
    try:
        for theirs in (h11_request(wire), llhttp_request(wire)):
            assert theirs is None or theirs.body == body, f"{data!r}: {body!r} {theirs}"
    except NotOne as error:
        raise AssertionError(f"{data!r}: {error}") from None


def _chunks(pieces: Sequence[bytes]) -> tuple[bytes, int]:
    """The body and how many bytes it took; -1 where it is refused, -2 where it has no end."""
    decoder = ChunkedBody(RequestError)
    body, taken = b"", 0
    for piece in pieces:
        taken += len(piece)
        try:
            more, rest = decoder.feed(piece)
        except PeerError:
            return b"", -1
        body += more
        if decoder.is_complete:
            return body, taken - len(rest)
    return b"", -2


def check_response(data: bytes, places: Sequence[int], method: bytes, *, is_end: bool) -> None:
    """What an endpoint sends, as ours takes it and as h11 does."""
    taken, outcome = our_response([data], method, is_end=is_end)
    for pieces in (cut(data, places), bytewise(data)):
        other = our_response(pieces, method, is_end=is_end)
        assert other[1] == outcome, f"cut: {data!r}: {outcome} {other[1]}"
        assert other[0].readings == taken.readings, f"cut: {data!r}: {taken} {other[0]}"
    if outcome == "whole":
        ours = taken.readings[0]
        wire = data[: len(data) - len(taken.rest)]
        if any(name == b"transfer-encoding" for name, _ in ours.fields):
            wire = _without_framing_trailers(wire)
        try:
            theirs = h11_response(wire, method, is_end=is_end)
        except NotOne as error:
            raise AssertionError(f"{wire!r}: {error}") from None
        assert _same_response(theirs, ours), f"{wire!r}: {ours} {theirs}"


def _without_framing_trailers(wire: bytes) -> bytes:
    """Without the trailers that we drop, and that h11 minds where they make no sense."""
    trailers = _TRAILERS.search(wire)
    if trailers is None:
        return wire
    return wire[: trailers.start(1)] + _FRAMING_LINE.sub(b"", wire[trailers.start(1) :])


def _same_response(theirs: Reading, ours: Reading) -> bool:
    return (theirs.start, plain_fields(theirs.fields), theirs.body) == (
        ours.start,
        plain_fields(ours.fields),
        ours.body,
    )


def check_answer(data: bytes, places: Sequence[int], method: bytes, *, is_end: bool) -> None:
    """
    Through the whole data plane: the client gets one answer that h11 can read, whole or
    visibly cut; and the next request gets nothing of what was left.
    """
    wire = Wire(ENDPOINT)
    client = wire.connect()
    client.send(b"%b / HTTP/1.1\r\nHost: a.example\r\n\r\n" % method)
    endpoint = wire.accept()
    endpoint.read()
    for piece in cut(data, places):
        endpoint.send_some(piece)
    if is_end:
        endpoint.close()
    answer = client.read()
    state = _client_state(answer, method)
    taken, outcome = our_response([data], method, is_end=is_end)
    assert state != "broken", f"{data!r}: {answer!r}"
    if outcome == "whole":
        assert state == "whole", f"{data!r}: {answer!r}"
    if not client.is_open or state != "whole":
        return
    client.send(GET)
    if wire.dials:
        asked = wire.accept()
    else:
        assert not taken.rest, f"{data!r}: asked again with {taken.rest!r} unread"
        asked = endpoint
    assert asked.read().startswith(b"GET / HTTP/1.1\r\n"), data
    assert client.read() == b"", f"{data!r}: an answer before its time"
    asked.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nclean")
    assert client.read().endswith(b"\r\n\r\nclean"), data


def _client_state(answer: bytes, method: bytes) -> str:
    """``whole``, ``cut`` or ``broken``: what the answer is for h11."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=NO_LIMIT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    if answer:
        # Nothing at all would be the end of the connection for it.
        connection.receive_data(answer)
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.EndOfMessage):
                return "broken" if connection.trailing_data[0] else "whole"
            if event is h11.NEED_DATA:
                # Not at the end of the connection: it would be the end of a body of ours
                # without length, and those have none towards HTTP/1.1.
                return "cut"
    except h11.RemoteProtocolError:
        return "broken"
