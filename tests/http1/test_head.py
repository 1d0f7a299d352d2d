"""Tests of `ingress.http1.head`."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.errors import HeadTooLarge, MethodUnknown, PeerError, RequestError, ResponseError
from ingress.http1 import head
from ingress.http1.body import ChunkedBody, LengthBody, UntilCloseBody
from ingress.http1.head import (
    EMPTY_BODY,
    HEAD_END,
    check_unfinished_request_head,
    check_unfinished_response_head,
    parse_request_head,
    parse_response_head,
    skip_empty_lines,
)
from ingress.message import Request, Response
from tests.support.corpus import BAD_REQUESTS, BAD_RESPONSES, TOO_LARGE_REQUESTS


def request(data: bytes) -> Request:
    return parse_request_head(data)[0]


def get(target: bytes, *fields: bytes, host: bytes = b"a", version: bytes = b"1.1") -> Request:
    lines = [b"GET " + target + b" HTTP/" + version, b"Host: " + host, *fields]
    return request(b"\r\n".join(lines) + b"\r\n\r\n")


def response(data: bytes, method: bytes = b"GET") -> Response:
    return parse_response_head(data, method)[0]


def feed(
    data: bytes, step: int, check: Callable[[bytes], None], parse: Callable[[bytes], object]
) -> None:
    """Feed a head as the codecs do: checked while unfinished, parsed when whole."""
    for end in range(step, len(data) + step, step):
        so_far = data[:end]
        if HEAD_END in so_far:
            parse(so_far[: so_far.index(HEAD_END) + len(HEAD_END)])
            return
        check(so_far)
    raise AssertionError("neither refused nor finished")


class RequestHeadTests(SynchronousTestCase):
    def test_parts(self) -> None:
        """Method, target, path, host and fields come out as they were sent."""
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
                (b"host", b"Host", b"A.Example.:8080"),
                (b"x-one", b"X-One", b"1"),
                (b"x-one", b"x-one", b"2"),
                (b"x-empty", b"X-Empty", b""),
                (b"x-text", b"X-Text", b'\xe4 "q"'),
            ],
        )

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
        """256 fields are served, 257 are not."""
        self.assertEqual(len(get(b"/", *[b"X: a"] * 255).fields), 256)
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


class ResponseHeadTests(SynchronousTestCase):
    def test_parts(self) -> None:
        """Status, reason and fields come out as they were sent."""
        made = response(b"HTTP/1.1 404 Not \xe4 Found\r\nX-One: 1\r\nx-one: 2\r\n\r\n")
        self.assertEqual((made.status, made.reason), (404, b"Not \xe4 Found"))
        self.assertEqual(made.fields, [(b"x-one", b"X-One", b"1"), (b"x-one", b"x-one", b"2")])

    def test_without_reason(self) -> None:
        """A status line may end after its status, with or without a blank."""
        self.assertEqual(response(b"HTTP/1.1 200\r\n\r\n").reason, b"")
        self.assertEqual(response(b"HTTP/1.1 200 \r\n\r\n").reason, b"")

    def test_refused(self) -> None:
        """Each head that two parsers might read differently is refused with 502, in any split."""
        passed = {}
        for name, data in BAD_RESPONSES.items():
            if b" 101 " in data:
                continue  # A well-formed head; the connection refuses it.
            for step in (len(data), 1 if len(data) < 1000 else 1000):
                try:
                    feed(
                        data,
                        step,
                        check_unfinished_response_head,
                        lambda head: parse_response_head(head, b"GET"),
                    )
                except ResponseError:
                    continue
                except AssertionError:
                    passed[name] = "waited for more"
                else:
                    passed[name] = "accepted"
        self.assertEqual(passed, {})

    def test_body_of_known_length(self) -> None:
        """Content-Length tells where the body ends."""
        made, body = parse_response_head(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"GET")
        self.assertEqual(made.body_length, 5)
        self.assertIsInstance(body, LengthBody)
        self.assertTrue(made.keep_alive)

    def test_chunked_body(self) -> None:
        """A chunked response has a body of unknown length and keeps its connection."""
        made, body = parse_response_head(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"GET"
        )
        self.assertIsNone(made.body_length)
        self.assertIsInstance(body, ChunkedBody)
        self.assertTrue(made.keep_alive)

    def test_body_until_close(self) -> None:
        """Without a length the body ends with the connection, which serves no more."""
        made, body = parse_response_head(b"HTTP/1.1 200 OK\r\n\r\n", b"GET")
        self.assertIsNone(made.body_length)
        self.assertIsInstance(body, UntilCloseBody)
        self.assertFalse(made.keep_alive)

    def test_no_body(self) -> None:
        """HEAD, 1xx, 204 and 304 have none, whatever the fields say."""
        for status, method in ((200, b"HEAD"), (103, b"GET"), (204, b"GET"), (304, b"GET")):
            for field in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"X: y"):
                data = b"HTTP/1.1 %d X\r\n%b\r\n\r\n" % (status, field)
                made, body = parse_response_head(data, method)
                self.assertEqual(made.body_length, 0)
                self.assertIs(body, EMPTY_BODY)

    def test_204_that_announces_a_body(self) -> None:
        """After a 204 that says it has a body the connection is not used again: it may come."""
        for field in (b"Content-Length: 5", b"Transfer-Encoding: chunked"):
            self.assertFalse(response(b"HTTP/1.1 204 X\r\n%b\r\n\r\n" % field).keep_alive)
        self.assertTrue(response(b"HTTP/1.1 204 X\r\nContent-Length: 0\r\n\r\n").keep_alive)
        not_modified = b"HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n"
        self.assertTrue(response(not_modified).keep_alive)

    def test_keep_alive(self) -> None:
        """HTTP/1.1 keeps its connection unless it says close, HTTP/1.0 only if it says so."""
        for version, options, expected in (
            (b"1.1", b"", True),
            (b"1.1", b"close", False),
            (b"1.0", b"", False),
            (b"1.0", b"keep-alive", True),
            (b"1.0", b"keep-alive, close", False),
        ):
            made = response(
                b"HTTP/%b 200 OK\r\nContent-Length: 0\r\nConnection: %b\r\n\r\n"
                % (version, options)
            )
            self.assertEqual(made.keep_alive, expected, (version, options))

    @settings(deadline=None, max_examples=200)
    @given(st.binary(max_size=80))
    def test_anything(self, data: bytes) -> None:
        """No bytes raise anything but a ResponseError."""
        for whole in (data + HEAD_END, b"HTTP/1.1 200 OK\r\n" + data + HEAD_END):
            try:
                made = response(whole)
            except ResponseError:
                continue
            for _, name, value in made.fields:
                self.assertNotRegex(name + value, rb"[\0\r\n]")
