"""
Requests of HTTP/2 as endpoints see them in HTTP/1.1: one request is never two, whatever is in it.

Each request that reaches an endpoint is read by `h11`, which knows nothing of our codecs.
"""

from __future__ import annotations

from collections.abc import Sequence

import h11
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.http2.frame import DATA, END_STREAM, PREFACE
from tests.support.corpus import BAD_REQUESTS
from tests.support.http2_client import GET, Client, frame
from tests.support.http2_client import settings as settings_frame
from tests.support.wire import Wire

EVIL = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b":",
        b"x: y\r\n\r\nGET /evil HTTP/1.1\r\nHost: b\r\n\r\n",
        b"chunked",
        b"0\r\n\r\n",
        b"\xc4\x8d\xc4\x8a",
        b"HTTP/1.1",
        b"/",
        b"\x7f",
        b"a",
        b"1",
    ]
)
TEXT = st.lists(EVIL, max_size=4).map(b"".join) | st.binary(max_size=12)
NAME = TEXT | st.sampled_from(
    [
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"te",
        b"host",
        b"expect",
        b"trailer",
        b"upgrade",
        b"cookie",
        b"http2-settings",
        b"content_length",
        b"Transfer-Encoding",
        b"transfer-encoding ",
        b":path",
        b":method",
        b":protocol",
        b"x-plain",
    ]
)
VALUE = TEXT | st.sampled_from(
    [b"0", b"5", b"+5", b"05", b"5, 5", b"chunked", b"identity", b"trailers", b"100-continue"]
)


def requests_of(data: bytes) -> list[tuple[h11.Request, bytes]]:
    """
    Read the requests of a connection, with their bodies.

    :raises h11.RemoteProtocolError: if they are no requests.
    """
    found: list[tuple[h11.Request, bytes]] = []
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(data)
    while True:
        event = parser.next_event()
        if isinstance(event, h11.Request):
            found.append((event, b""))
        elif isinstance(event, h11.Data):
            found[-1] = (found[-1][0], found[-1][1] + bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            parser.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            parser.send(h11.EndOfMessage())
            parser.start_next_cycle()
        else:
            return found


class DowngradeTests(SynchronousTestCase):
    def seen(
        self,
        fields: Sequence[tuple[bytes, bytes]],
        pieces: Sequence[bytes] = (),
        trailers: Sequence[tuple[bytes, bytes]] = (),
    ) -> list[bytes]:
        """:return: what each connection to the endpoint has got of the request."""
        wire, client = Wire(), Client()
        peer = wire.connect()
        peer.send(PREFACE + settings_frame())
        whole = not pieces and not trailers
        peer.send_some(client.head(1, fields, end=whole))
        for index, piece in enumerate(pieces):
            flags = END_STREAM if index == len(pieces) - 1 and not trailers else 0
            peer.send_some(frame(DATA, flags, 1, piece))
        if trailers:
            peer.send_some(client.head(1, trailers))
        endpoints = [wire.accept() for _ in range(len(wire.dials))]
        return [endpoint.read() for endpoint in endpoints]

    def check(
        self,
        fields: Sequence[tuple[bytes, bytes]],
        pieces: Sequence[bytes] = (),
        trailers: Sequence[tuple[bytes, bytes]] = (),
    ) -> int:
        """
        Check that a request is one request for an endpoint, or none.

        :return: how many endpoints were asked.
        """
        seen = self.seen(fields, pieces, trailers)
        for data in seen:
            head, _, rest = data.partition(b"\r\n\r\n")
            self.assertEqual(head.count(b"\r"), head.count(b"\r\n"))
            self.assertEqual(head.count(b"\n"), head.count(b"\r\n"))
            self.assertNotIn(b"\0", head)
            lines = head.split(b"\r\n")[1:]
            names = [line.partition(b":")[0].lower() for line in lines]
            lengths = names.count(b"content-length")
            codings = names.count(b"transfer-encoding")
            self.assertLessEqual(lengths + codings, 1)
            self.assertEqual(names.count(b"host"), 1)
            found = requests_of(data)
            self.assertLessEqual(len(found), 1)
            if found:
                request, body = found[0]
                sent = b"".join(pieces)
                self.assertEqual(body, sent[: len(body)])
                self.assertEqual(request.target, dict(fields)[b":path"])
            elif rest:
                self.fail(f"h11 reads nothing of {data!r}")
        return len(seen)

    def test_plain(self) -> None:
        """The check sees what an endpoint gets."""
        self.assertEqual(self.check([*GET, (b"x", b"y")]), 1)
        post = [(b":method", b"POST"), *GET[1:]]
        self.assertEqual(self.check([*post, (b"content-length", b"2")], [b"a", b"b"]), 1)
        self.assertEqual(self.check(post, [b"GET /evil HTTP/1.1\r\n\r\n", b"0\r\n\r\n"]), 1)
        self.assertEqual(self.check(post, [b"x"], [(b"x-sum", b"1")]), 1)

    def test_known(self) -> None:
        """The attacks that were published against others reach no endpoint."""
        evil = b"\r\n\r\nGET /evil HTTP/1.1\r\nHost: b\r\n\r\n"
        post = [(b":method", b"POST"), *GET[1:]]
        for fields, pieces in (
            ([*post, (b"transfer-encoding", b"chunked")], [b"0" + evil]),  # H2.TE
            ([*post, (b"content-length", b"0")], [evil]),  # H2.CL
            ([*post, (b"content-length", b"3")], [b"abc" + evil]),
            ([*GET, (b"x", b"y" + evil)], []),
            ([*GET, (b"x\r\ntransfer-encoding", b"chunked")], []),
            ([*GET, (b"x: y\r\ntransfer-encoding: chunked\r\nz", b"")], []),
            ([*GET, (b"transfer-encoding\0", b"chunked")], []),
            ([(b":method", b"GET / HTTP/1.1\r\nX: y"), *GET[1:]], []),
            ([*GET[:2], (b":path", b"/ HTTP/1.1" + evil), GET[3]], []),
            ([*GET[:3], (b":authority", b"a" + evil)], []),
            ([GET[0], (b":scheme", b"http://b/?"), *GET[2:]], []),
            ([*GET, (b"host", b"b")], []),
            ([*post, (b"content-length", b"5"), (b"content-length", b"0")], [b"hello"]),
            ([*post, (b"content-length", b"5, 0")], [b"hello"]),
            ([*GET, (b"connection", b"content-length")], []),
            ([*post, (b"upgrade", b"h2c"), (b"http2-settings", b"")], [b"x"]),
        ):
            self.assertEqual(self.check(fields, pieces), 0, fields)

    def test_corpus(self) -> None:
        """The bytes of bad requests in HTTP/1.1 do no harm in a body."""
        post = [(b":method", b"POST"), *GET[1:]]
        for data in list(BAD_REQUESTS.values())[::7]:
            self.assertEqual(self.check(post, [data]), 1 if data else 0)

    @settings(max_examples=300)
    @given(
        st.lists(st.tuples(NAME, VALUE), max_size=4),
        st.lists(st.binary(min_size=1, max_size=8) | EVIL, max_size=3),
        st.lists(st.tuples(NAME, VALUE), max_size=2),
        st.sampled_from([b"GET", b"POST", b"HEAD", b"CONNECT"]) | TEXT,
        st.sampled_from([b"/", b"/a?b", b"*"]) | TEXT,
        st.sampled_from([b"a.example"]) | TEXT,
    )
    def test_anything(
        self,
        fields: list[tuple[bytes, bytes]],
        pieces: list[bytes],
        trailers: list[tuple[bytes, bytes]],
        method: bytes,
        path: bytes,
        authority: bytes,
    ) -> None:
        """Whatever is sent, an endpoint gets one request or none."""
        pseudo = [
            (b":method", method),
            (b":scheme", b"http"),
            (b":path", path),
            (b":authority", authority),
        ]
        self.check([*pseudo, *fields], pieces, trailers)
