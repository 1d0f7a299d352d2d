"""
Messages built from pieces of the grammar, right ones and nearly right ones.

Most of what random bytes make is refused at the first line; what is interesting is
one step off the grammar.
"""

from __future__ import annotations

from hypothesis import strategies as st

Bytes = st.SearchStrategy[bytes]

_ODD = st.sampled_from(
    [
        b"",
        b" ",
        b"\t",
        b"\r",
        b"\n",
        b"\r\n",
        b"\n\n",
        b"\r\r\n",
        b"\r\n\r\n",
        b"\r\n ",
        b"\0",
        b"\x0b",
        b"\x7f",
        b"\x85",
        b"\xa0",
        b"\xff",
        b":",
        b";",
        b",",
        b"0",
        b"+",
        b"-",
        b"_",
        b"x",
        b'"',
        b"0x",
    ]
)
"""What is put in a place, or for a byte."""


@st.composite
def mutated(draw: st.DrawFn, messages: Bytes, most: int = 2) -> bytes:
    """A message with a few things put in, taken out or doubled."""
    data = draw(messages)
    for _ in range(draw(st.integers(0, most))):
        place = draw(st.integers(0, len(data)))
        size = draw(st.sampled_from([0, 0, 1, 2, 4]))
        kind = draw(st.sampled_from(["put", "put", "take", "double"]))
        if kind == "put":
            data = data[:place] + draw(_ODD) + data[place + size :]
        elif kind == "take":
            data = data[:place] + data[place + size :]
        else:
            data = data[: place + size] + data[place:]
    return data


def one_of(*values: bytes) -> Bytes:
    return st.sampled_from(values)


# The first is what shrinking comes to.
METHODS = one_of(
    b"GET", b"POST", b"PUT", b"POST", b"HEAD", b"OPTIONS", b"DELETE", b"CONNECT", b"get", b"X"
)
TARGETS = one_of(
    b"/",
    b"/",
    b"/a",
    b"/a",
    b"/a?b=c",
    b"//a//b",
    b"*",
    b"http://a/",
    b"HTTP://A?b",
    b"http://a",
    b"http://b/",
    b"/%2e%2e/",
    b"/a%2Fb",
    b"/..;/a",
    b"a:80",
    b"?a",
    b"/'\"<>{}|\\^`",
    b"/a?'\"<>{}|\\^`",
    b"/a?\xc3\xa4\x85\xa0",
    b"/\xc3\xa4",
)
VERSIONS = one_of(*[b"HTTP/1.1"] * 8, b"HTTP/1.0", b"HTTP/1.2", b"HTTP/0.9")
HOSTS = one_of(b"a", b"a", b"a", b"a", b"A:80", b"[::1]:8080", b"a.", b"b", b"a b", b"")
RIGHT_FRAMINGS = (
    b"",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
)
RIGHT_FRAMING = st.sampled_from(RIGHT_FRAMINGS)
WRONG_FRAMING = one_of(
    b"transfer-encoding:\tChunked \r\n",
    b"Content-Length: 5\r\nContent-Length: 5\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length: 05\r\n",
    b"Content-Length: +5\r\n",
    b"Content-Length:\r\n",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: chunked, identity\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"X: a\r\n Transfer-Encoding: chunked\r\n",
)
FRAMING = st.one_of(RIGHT_FRAMING, RIGHT_FRAMING, WRONG_FRAMING)
FIELD_LINES = (
    b"X: a\r\n",
    b"X:a\r\n",
    b"X: \t a \t\r\n",
    b"X:\r\n",
    b"X: \xe4\xff\r\n",
    b"X_Y: a\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: Content-Length, Host, Transfer-Encoding\r\n",
    b"Connection: upgrade\r\nUpgrade: websocket\r\n",
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n",
    b"TE: trailers\r\n",
    b"Trailer: X\r\n",
    b"Expect: 100-continue\r\n",
    b"Keep-Alive: timeout=5\r\n",
    b"Proxy-Connection: keep-alive\r\n",
    b"X-Forwarded-For: 10.0.0.1\r\n",
    b"Cookie: a=b\r\nCookie: c=d\r\n",
    b"!#$%&'*+.^`|~: a\r\n",
)
FIELDS = st.sampled_from(FIELD_LINES)


@st.composite
def chunks(draw: st.DrawFn) -> bytes:
    """A chunked body, mostly right."""
    parts = []
    for data in draw(
        st.lists(one_of(b"a", b"hello", b"0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"), max_size=3)
    ):
        form = draw(one_of(*[b"%x"] * 6, b"%X", b"0%x", b"%x ", b"%d", b"0x%x", b"+%x"))
        extension = draw(
            one_of(*[b""] * 6, b";a", b";a=b", b';a="b"', b" ;a", b";", b";\n", b";a\r")
        )
        parts.append(form % len(data) + extension + b"\r\n" + data + b"\r\n")
    parts.append(draw(one_of(*[b"0\r\n"] * 4, b"000\r\n", b"0;a\r\n", b"0\n", b"")))
    parts.append(
        draw(one_of(*[b""] * 4, b"X: a\r\n", b"Content-Length: 5\r\n", b"X\r\n", b" X: a\r\n"))
    )
    parts.append(draw(one_of(*[b"\r\n"] * 4, b"\n", b"")))
    return b"".join(parts)


@st.composite
def request(draw: st.DrawFn) -> bytes:
    """A request, mostly right."""
    framing = draw(FRAMING)
    before = draw(st.lists(FIELDS, max_size=2))
    after = draw(st.lists(FIELDS, max_size=2))
    host = draw(one_of(b"Host: %b\r\n", b"Host: %b\r\n", b"host:%b\r\n"))
    line = b" ".join([draw(METHODS), draw(TARGETS), draw(VERSIONS)])
    fields = [*before, host % draw(HOSTS), framing, *after]
    if b"chunked" in framing.lower():
        body = draw(chunks())
    elif b"5" in framing:
        body = draw(one_of(b"hello", b"GET /", b"\r\n\r\n0", b"he"))
    else:
        body = b""
    return line + b"\r\n" + b"".join(fields) + b"\r\n" + body


PIPELINES: Bytes = st.lists(request(), min_size=1, max_size=3).map(b"".join)
"""The bytes of a client's connection."""

STATUSES = one_of(
    b"200 OK", b"204 No Content", b"304 X", b"103 X", b"100 X", b"404 ", b"500", b"101 X"
)


@st.composite
def response(draw: st.DrawFn) -> bytes:
    """A response, mostly right."""
    version = draw(one_of(b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2"))
    framing = draw(FRAMING)
    fields = draw(st.lists(FIELDS, max_size=3))
    head = b"%b %b\r\n%b%b\r\n" % (version, draw(STATUSES), framing, b"".join(fields))
    if b"chunked" in framing.lower():
        return head + draw(chunks())
    return head + draw(one_of(b"", b"hello", b"hello", b"he", b"HTTP/1.1 200 OK\r\n\r\n"))


RESPONSES: Bytes = st.lists(response(), min_size=1, max_size=2).map(b"".join)
"""The bytes of an endpoint's connection."""

PLACES = st.lists(st.integers(0, 400), max_size=4)
"""Where bytes are cut."""
