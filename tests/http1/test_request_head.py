"""Tests of `ingress.http1.request_head`, and of `ingress.http1.head` through it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Limits
from ingress.errors import HeadTooLarge, MethodUnknown, PeerError, RequestError
from ingress.http1 import head, request_head
from ingress.http1.body import ChunkedBody, LengthBody
from ingress.http1.decoder import RequestDecoder
from ingress.http1.head import (
    DEFAULT_LIMITS,
    EMPTY_BODY,
    HEAD_END,
    KEPT_HEADS,
    MAX_KEPT,
    MAX_KEPT_FIELDS,
)
from ingress.http1.request_head import (
    check_unfinished_request_head,
    parse_request_head,
    skip_empty_lines,
)
from ingress.message import Request
from tests.support.corpus import BAD_REQUESTS, TOO_LARGE_REQUESTS
from tests.support.head import feed

SHORT_GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LONG_GET = b"GET / HTTP/1.1\r\nHost: a.b.c.d.e.f.g.h.i.j.k.example\r\n\r\n"


def request(data: bytes) -> Request:
    return parse_request_head(data)[0]


def get(target: bytes, *fields: bytes, host: bytes = b"a", version: bytes = b"1.1") -> Request:
    lines = [b"GET " + target + b" HTTP/" + version, b"Host: " + host, *fields]
    return request(b"\r\n".join(lines) + b"\r\n\r\n")


class RequestHeadTests(SynchronousTestCase):
    def test_parts(self) -> None:
        """Method, target, path, host and the other fields come out as they were sent."""
        made = request(
            b"PUT /a%20b/../c?d=%e4&e HTTP/1.1\r\nHost: A.Example.:8080\r\n"
            b'X-One: 1\r\nx-one: \t2 \t\r\nX-Empty:\r\nX-Text: \xe4 "q"\r\n\r\n'
        )
        self.assertEqual(made.method, b"PUT")
        self.assertEqual(made.target, b"/a%20b/../c?d=%e4&e")
        self.assertEqual(made.path, b"/c")
        self.assertEqual(made.authority, b"A.Example.:8080")
        self.assertEqual(made.host, b"a.example")
        self.assertEqual(
            made.fields,
            [
                (b"x-one", b"X-One", b"1"),
                (b"x-one", b"x-one", b"2"),
                (b"x-empty", b"X-Empty", b""),
                (b"x-text", b"X-Text", b'\xe4 "q"'),
            ],
        )

    def test_reasons(self) -> None:
        """A refusal names the line and the rule, in a head of any length."""
        for padding in ((), (b"X: " + b"a" * MAX_KEPT,)):
            number = 3 + len(padding)
            for field, fault in (
                (
                    b"X : y",
                    f"The request is malformed: line {number} has a blank before its colon.",
                ),
                (b"X", f"The request is malformed: line {number} has no colon."),
                (b"X: \0", f"The request is malformed: line {number} has a control character."),
                (b"Content-Length: +1", "The Content-Length of the request is not a plain number."),
            ):
                error = self.assertRaises(RequestError, get, b"/", *padding, field)
                self.assertEqual(str(error), fault)

    def test_query(self) -> None:
        """A query passes as it is written, whatever a URI may have there; in any length of head."""
        query = b"a=\\&'\"<>^`{|}[]%zz%&\x80\xff\xa0/../?"
        for fields in ((), (b"X: " + b"a" * MAX_KEPT,)):
            made = get(b"/p?" + query, *fields)
            self.assertEqual((made.target, made.path), (b"/p?" + query, b"/p"))
            made = get(b"http://a/p?" + query, *fields)
            self.assertEqual((made.target, made.path), (b"/p?" + query, b"/p"))

    def test_path_characters(self) -> None:
        """A character that a path cannot have is refused with a reason that says so."""
        for target in (b"/a\\b", b"/\xc3\xa4", b"/{a}?b"):
            error = self.assertRaises(RequestError, get, target)
            self.assertEqual(str(error), "The path has a character that must be escaped.")

    def test_field(self) -> None:
        """The first field of a name is found in any case; a name that is not there is None."""
        made = get(b"/", b"X-One: 1", b"x-one: 2")
        self.assertEqual(made.field(b"x-one"), b"1")
        self.assertIsNone(made.field(b"x-two"))

    def test_refused(self) -> None:
        """Each head that two parsers might read differently is refused with 400, in any split."""
        passed = {}
        for name, data in BAD_REQUESTS.items():
            for step in (len(data), 1):
                try:
                    feed(data, step, check_unfinished_request_head, parse_request_head)
                except RequestError as error:
                    if error.status != 400:
                        passed[name] = repr(error)
                except AssertionError as error:
                    passed[name] = repr(error)
                else:
                    passed[name] = "accepted"
        self.assertEqual(passed, {})

    def test_looked_at_once(self) -> None:
        """What has passed is not looked at again: a long head may come byte by byte."""
        data = b"GET / HTTP/1.1\r\nX: \n"
        self.assertRaises(RequestError, check_unfinished_request_head, data)
        check_unfinished_request_head(data + b"a", checked=len(data))
        decoder = RequestDecoder()
        decoder.waiting = b"GET / HTTP/1.1\r\nX: aaaa\r\n"
        self.assertIsNone(decoder.take_head(DEFAULT_LIMITS))
        decoder.waiting = decoder.waiting.replace(b"aaaa", HEAD_END)
        self.assertIsNone(decoder.take_head(DEFAULT_LIMITS))

    def test_next_one_is_looked_at(self) -> None:
        """All of a head is looked at that follows a longer one which came in pieces."""
        decoder = RequestDecoder()
        decoder.waiting = LONG_GET[:-1]
        self.assertIsNone(decoder.take_head(DEFAULT_LIMITS))
        decoder.waiting += LONG_GET[-1:] + SHORT_GET
        for _ in range(2):
            self.assertIsNotNone(decoder.take_head(DEFAULT_LIMITS))

    def test_too_large(self) -> None:
        """A target that is too long is 414, a head that is too large 431, in any split."""
        for name, (status, data) in TOO_LARGE_REQUESTS.items():
            for step in (len(data), 1000):
                with self.assertRaises(RequestError) as raised:
                    feed(data, step, check_unfinished_request_head, parse_request_head)
                self.assertEqual(raised.exception.status, status, name)

    def test_largest_target(self) -> None:
        """A target of 32 KiB is served, in any split."""
        data = b"GET /" + b"a" * (32 * 1024 - 1) + b" HTTP/1.1\r\nHost: a\r\n\r\n"
        for step in (len(data), 1000, len(data) - 5):
            feed(data, step, check_unfinished_request_head, parse_request_head)

    def test_empty_lines_before_it(self) -> None:
        """Empty lines before a request are skipped, and none within it."""
        self.assertEqual(skip_empty_lines(b"\r\n\r\nGET\r\n"), b"GET\r\n")
        self.assertEqual(skip_empty_lines(b"GET\r\n\r\n"), b"GET\r\n\r\n")
        self.assertEqual(skip_empty_lines(b"\r\n\r\r\n"), b"\r\r\n")

    def test_large_field(self) -> None:
        """One field of 16 KiB is served: the cookies of single sign-on."""
        cookie = b"a=" + b"b" * 16 * 1024
        self.assertEqual(get(b"/", b"Cookie: " + cookie).field(b"cookie"), cookie)

    def test_most_fields(self) -> None:
        """256 fields are served with Host, 257 are not."""
        self.assertEqual(len(get(b"/", *[b"X: a"] * 255).fields), 255)
        self.assertRaises(HeadTooLarge, get, b"/", *[b"X: a"] * 256)

    def test_unknown_method(self) -> None:
        """A method that the parser does not know is 501, whatever its case."""
        for method in (b"BREW", b"get", b"Get"):
            with self.assertRaises(MethodUnknown) as raised:
                request(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(raised.exception.status, 501)

    def test_method_of_another_protocol(self) -> None:
        """So is one of RTSP or HTTP/2, which the parser does know."""
        for method in (b"DESCRIBE", b"PLAY", b"SET_PARAMETER", b"FLUSH", b"PRI"):
            line = method + b" / HTTP/1.1\r\nHost: a\r\n\r\n"
            self.assertRaises(MethodUnknown, request, line)

    def test_methods(self) -> None:
        """The methods of HTTP and of WebDAV pass."""
        for method in (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"PROPFIND"):
            made = request(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(made.method, method)

    def test_absolute_form(self) -> None:
        """A target with the authority of Host goes upstream in origin-form."""
        for target, expected in (
            (b"http://a", b"/"),
            (b"http://a/", b"/"),
            (b"HTTPS://A/b?c", b"/b?c"),
            (b"http://a?b=/", b"/?b=/"),
        ):
            self.assertEqual(get(target).target, expected)

    def test_asterisk(self) -> None:
        """OPTIONS may ask for the whole server; its path is the root."""
        for target in (b"*", b"http://a"):
            made = request(b"OPTIONS " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual((made.target, made.path), (b"*", b"/"))

    def test_target_that_begins_with_two_slashes(self) -> None:
        """A target in origin-form is never read as one with an authority."""
        made = get(b"//b.example/c")
        self.assertEqual(
            (made.target, made.path, made.host), (b"//b.example/c", b"/b.example/c", b"a")
        )

    def test_hosts(self) -> None:
        """Names, addresses and ports are hosts; case, port and trailing dot do not matter."""
        for authority, host in (
            (b"A.example", b"a.example"),
            (b"a.example.", b"a.example"),
            (b"a.example.:80", b"a.example"),
            (b"a:65535", b"a"),
            (b"a:", b"a"),
            (b"a_b.example", b"a_b.example"),
            (b"xn--bcher-kva.example", b"xn--bcher-kva.example"),
            (b"192.0.2.1:8080", b"192.0.2.1"),
            (b"[2001:DB8::1]:8080", b"[2001:db8::1]"),
            (b"[::ffff:192.0.2.1]", b"[::ffff:192.0.2.1]"),
        ):
            self.assertEqual(get(b"/", host=authority).host, host)

    def test_http_10_without_host(self) -> None:
        """HTTP/1.0 needs no Host; its host is then empty."""
        made = request(b"GET / HTTP/1.0\r\n\r\n")
        self.assertTrue(made.is_http_10)
        self.assertEqual((made.host, made.authority), (b"", b""))

    def test_keep_alive(self) -> None:
        """HTTP/1.1 keeps its connection unless it says close, HTTP/1.0 only if it says so."""
        for version, options, expected in (
            (b"1.1", b"", True),
            (b"1.1", b"keep-alive", True),
            (b"1.1", b"close", False),
            (b"1.1", b"Keep-Alive, CLOSE", False),
            (b"1.0", b"", False),
            (b"1.0", b"Keep-Alive", True),
            (b"1.0", b"keep-alive, close", False),
        ):
            made = get(b"/", b"Connection: " + options, version=version)
            self.assertEqual(made.keep_alive, expected, (version, options))

    def test_connection_options(self) -> None:
        """All Connection fields together name what is for this hop, in lower case."""
        made = get(b"/", b"Connection: X-One ,, close", b"connection: x-two\t,")
        self.assertEqual(made.connection_options, {b"x-one", b"close", b"x-two"})

    def test_body_of_known_length(self) -> None:
        """Content-Length tells where the body ends."""
        made, body = parse_request_head(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n")
        self.assertEqual(made.body_length, 7)
        assert isinstance(body, LengthBody)
        self.assertEqual(body.remaining, 7)

    def test_chunked_body(self) -> None:
        """Transfer-Encoding: chunked, in any case, is a body of unknown length."""
        made, body = parse_request_head(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked \r\n\r\n"
        )
        self.assertIsNone(made.body_length)
        self.assertTrue(made.has_body)
        self.assertIsInstance(body, ChunkedBody)

    def test_no_body(self) -> None:
        """Without a length, or with a length of 0, a request has no body."""
        for fields in (b"", b"Content-Length: 0\r\n"):
            made, body = parse_request_head(b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n")
            self.assertFalse(made.has_body)
            self.assertIs(body, EMPTY_BODY)

    def test_upgrade_is_an_ordinary_request(self) -> None:
        """A request that asks for another protocol keeps its fields and its body."""
        made, body = parse_request_head(
            b"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            b"Content-Length: 5\r\nX: y\r\n\r\n"
        )
        self.assertEqual(made.field(b"x"), b"y")
        self.assertIsInstance(body, LengthBody)

    def test_long_values_are_not_kept(self) -> None:
        """What a client sends is not kept beyond its request, however often it differs."""
        before = head._short_connection_options.cache_info().currsize
        get(b"/", b"Connection: " + b"a," * 1000)
        self.assertEqual(head._short_connection_options.cache_info().currsize, before)

    @settings(deadline=None, max_examples=200)
    @given(
        st.lists(
            st.sampled_from(
                [
                    b"GET",
                    b" ",
                    b"/",
                    b"HTTP/1.1",
                    b"\r\n",
                    b"\r",
                    b"\n",
                    b"Host: a",
                    b"X:",
                    b"\0",
                    b"b",
                ]
            ),
            max_size=14,
        ),
        st.integers(1, 20),
    )
    def test_every_split(self, tokens: list[bytes], step: int) -> None:
        """Whether a head is refused, and what it says, does not depend on how it is cut."""
        data = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(tokens) + HEAD_END

        def outcome(step: int) -> object:
            made: list[Request] = []
            try:
                feed(
                    data,
                    step,
                    check_unfinished_request_head,
                    lambda head: made.append(request(head)),
                )
            except PeerError as error:
                return error.status
            return made[0].fields

        self.assertEqual(outcome(step), outcome(len(data)))

    @settings(deadline=None, max_examples=200)
    @given(st.binary(max_size=80))
    def test_anything(self, data: bytes) -> None:
        """No bytes raise anything but a RequestError."""
        for whole in (data + HEAD_END, b"GET / HTTP/1.1\r\nHost: a\r\n" + data + HEAD_END):
            try:
                made = request(whole)
            except RequestError:
                continue
            # Nothing that was accepted can end a line when it is written again.
            for _, name, value in made.fields:
                self.assertNotRegex(name + value, rb"[\0\r\n]")


class KeptHeadTests(SynchronousTestCase):
    """What a head came to serves the next one that is the same but for its target and host."""

    def test_shared(self) -> None:
        """Requests share what does not depend on target and host, and nothing else."""
        one = get(b"/a?x=1", b"X-One: 1")
        other = get(b"/b/../c", b"X-One: 1", host=b"B:80")
        self.assertIs(one.cache, other.cache)
        self.assertIs(one.fields, other.fields)
        self.assertEqual((one.target, one.path), (b"/a?x=1", b"/a"))
        self.assertEqual((other.target, other.path), (b"/b/../c", b"/c"))
        self.assertEqual((one.authority, one.host), (b"a", b"a"))
        self.assertEqual((other.authority, other.host), (b"B:80", b"b"))
        self.assertEqual(other.length - one.length, 4)

    def test_not_shared(self) -> None:
        """A byte that differs anywhere else makes another request of it."""
        one = get(b"/", b"X-One: 1")
        for other in (
            get(b"/", b"X-One: 2"),
            get(b"/", b"X-One:1"),
            get(b"/", b"X-One: 1", version=b"1.0"),
            request(b"HEAD / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\n\r\n"),
        ):
            self.assertIsNot(one.cache, other.cache)

    def test_hosts_that_are_cut_out(self) -> None:
        """Wherever Host stands, and however it is written, it is looked at each time."""
        for lines in (
            b"Host: %b\r\nX: 1",
            b"X: 1\r\nHost: %b",
            b"X: 1\r\nhost: %b",
            b"hOST:%b\r\nX: 1",
            b"Host: \t %b \r\nX: 1",
        ):
            data = b"GET / HTTP/1.1\r\n" + lines + b"\r\n\r\n"
            for host in (b"a", b"B.example:80", b"a"):
                self.assertEqual(request(data % host).authority, host)
                self.assertEqual(request(data % host).fields, [(b"x", b"X", b"1")])
            for host in (b"", b"a b", b"a\0", b"\xe4", b"a\r\n b", b"a\r\nHost: a", b"a\r\nhost:a"):
                self.assertRaises(RequestError, request, data % host)

    def test_bodies(self) -> None:
        """Each request has a body of its own."""
        for framing in (b"Content-Length: 3", b"Transfer-Encoding: chunked"):
            data = b"POST /%d HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n"
            _, one = parse_request_head(data % (1, framing))
            _, other = parse_request_head(data % (2, framing))
            self.assertIsNot(one, other)

    def test_limits(self) -> None:
        """A head that is kept is held to the limits of each request."""
        fields = [b"X-%d: 1" % number for number in range(20)]
        data = b"\r\n".join([b"GET / HTTP/1.1", b"Host: a", *fields, b"", b""])
        parse_request_head(data)
        for limits in (Limits(head_fields=20), Limits(head_size=len(data) - 1)):
            self.assertRaises(HeadTooLarge, parse_request_head, data, limits)

    def test_refused_each_time(self) -> None:
        """What was refused once is refused again, and so is a bad target of a good head."""
        for _ in range(2):
            self.assertRaises(RequestError, get, b"/", b"Content-Length: 1,1")
            get(b"/")
            for target in (b"/%zz", b"/..", b"/%00", b"a", b"//a/../../b"):
                self.assertRaises(RequestError, get, target)

    def test_large(self) -> None:
        """A large head is not kept, nor one of another form of target."""
        request_head._KEPT.clear()
        for _ in range(2):
            get(b"/", b"X: " + b"a" * MAX_KEPT)
            get(b"http://a/")
        self.assertEqual(len(request_head._KEPT), 0)

    def test_many_fields(self) -> None:
        """A head of many fields is not kept, whether it is served or refused."""
        fields = [b"a:"] * (MAX_KEPT_FIELDS + 1)
        request_head._KEPT.clear()
        for _ in range(2):
            self.assertEqual(get(b"/b", *fields).target, b"/b")
            self.assertEqual(len(get(b"/b", *fields).fields), len(fields))
            self.assertRaises(HeadTooLarge, get, b"/", *fields * 6)
        self.assertEqual(len(request_head._KEPT), 0)

    def test_bounded(self) -> None:
        """Heads that all differ are not kept for ever."""
        for number in range(KEPT_HEADS + 10):
            get(b"/", b"X: %d" % number)
        self.assertLessEqual(len(request_head._KEPT), KEPT_HEADS)

    @settings(deadline=None, max_examples=300)
    @given(
        st.binary(max_size=30).map(lambda data: b"/" + data),
        st.sampled_from([b"", b"Connection: close", b"Content-Length: 3", b"TE: trailers"]),
    )
    def test_any_target(self, target: bytes, field: bytes) -> None:
        """Whether it is kept makes no difference to what is refused, or to what comes out."""

        def outcome(*padding: bytes) -> object:
            try:
                made = get(target, *filter(None, [field]), *padding)
            except PeerError as error:
                return type(error)
            fields = [field for field in made.fields if field[0] != b"pad"]
            return made.target, made.path, fields, made.keep_alive, made.body_length

        self.assertEqual(outcome(), outcome(b"Pad: " + b"a" * MAX_KEPT))
