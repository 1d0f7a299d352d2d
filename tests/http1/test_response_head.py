"""Tests of `ingress.http1.response_head`, and of `ingress.http1.head` through it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Limits
from ingress.errors import ResponseError
from ingress.http1 import response_head
from ingress.http1.body import ChunkedBody, LengthBody, UntilCloseBody
from ingress.http1.head import EMPTY_BODY, HEAD_END, MAX_KEPT, MAX_KEPT_FIELDS
from ingress.http1.response_head import (
    ResponseHeads,
    check_unfinished_response_head,
    parse_response_head,
)
from ingress.message import Response
from tests.support.corpus import BAD_RESPONSES
from tests.support.head import feed

OK = b"HTTP/1.1 200 OK\r\n"


def response(data: bytes, method: bytes = b"GET") -> Response:
    return parse_response_head(data, method)[0]


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

    def test_reasons(self) -> None:
        """A refusal names the rule and the line, and nothing that the endpoint sent."""
        for head, fault in (
            (b"SSH-2.0-OpenSSH", "it does not begin with HTTP/1.1 or HTTP/1.0"),
            (b"HTTP/1.1 20 OK", "its status is not a number of three digits between single spaces"),
            (b"HTTP/1.1 200 O\x01K", "line 1 has a control character"),
            (b"HTTP/1.1 200 OK\nX: secret", "line 1 has a bare CR or LF"),
            (OK + b"X: a\r\nX: secret\nY: b", "line 3 has a bare CR or LF"),
            (OK + b"X: a\r\n secret", "line 3 begins with a blank (line folding is obsolete)"),
            (OK + b"secret", "line 2 has no colon"),
            (OK + b": secret", "line 2 has no field name"),
            (OK + b"X: a\r\nY: a\r\nsecret : a", "line 4 has a blank before its colon"),
            (OK + b"se(ret: a", "line 2 has a field name with a character that is not allowed"),
            (OK + b"X: secret\0", "line 2 has a control character"),
        ):
            error = self.assertRaises(ResponseError, response, head + b"\r\n\r\n")
            self.assertEqual(str(error), f"The response is malformed: {fault}.")
            if "bare" in fault or "begin with" in fault:
                error = self.assertRaises(ResponseError, check_unfinished_response_head, head)
                self.assertEqual(str(error), f"The response is malformed: {fault}.")

    def test_reasons_of_framing(self) -> None:
        """So does one whose length is in doubt, whichever parser found that."""
        for fields, fault in (
            (
                b"Content-Length: 1\r\nContent-Length: 1",
                "The response has more than one Content-Length.",
            ),
            (b"Content-Length: x", "The Content-Length of the response is not a plain number."),
            (
                b"Content-Length: 1\r\nTransfer-Encoding: chunked",
                "The response has Content-Length and Transfer-Encoding.",
            ),
            (
                b"Transfer-Encoding: gzip, chunked",
                "The response has a transfer coding other than chunked alone.",
            ),
        ):
            error = self.assertRaises(ResponseError, response, OK + fields + b"\r\n\r\n")
            self.assertEqual(str(error), fault)

    def test_every_refusal_has_a_reason(self) -> None:
        """No refusal leaves the reason to the parser."""
        for name, data in BAD_RESPONSES.items():
            end = data.find(HEAD_END) + len(HEAD_END)
            try:
                if end < len(HEAD_END):
                    check_unfinished_response_head(data)
                else:
                    response(data[:end])
            except ResponseError as error:
                self.assertNotIn("parser", str(error), name)

    def test_body_of_known_length(self) -> None:
        """Content-Length tells where the body ends."""
        made, new_body = parse_response_head(
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"GET"
        )
        self.assertEqual(made.body_length, 5)
        self.assertIsInstance(new_body(), LengthBody)
        self.assertTrue(made.keep_alive)

    def test_chunked_body(self) -> None:
        """A chunked response has a body of unknown length and keeps its connection."""
        made, new_body = parse_response_head(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"GET"
        )
        self.assertIsNone(made.body_length)
        self.assertIsInstance(new_body(), ChunkedBody)
        self.assertTrue(made.keep_alive)

    def test_body_until_close(self) -> None:
        """Without a length the body ends with the connection, which serves no more."""
        made, new_body = parse_response_head(b"HTTP/1.1 200 OK\r\n\r\n", b"GET")
        self.assertIsNone(made.body_length)
        self.assertIsInstance(new_body(), UntilCloseBody)
        self.assertFalse(made.keep_alive)

    def test_status_without_class(self) -> None:
        """A status above 599 belongs to no class and is refused (RFC 9110 section 15)."""
        for status in (600, 700, 999):
            with self.assertRaises(ResponseError) as caught:
                response(b"HTTP/1.1 %d Odd\r\nContent-Length: 0\r\n\r\n" % status)
            self.assertEqual(
                str(caught.exception), "The endpoint sent a status that is not between 100 and 599."
            )
        self.assertEqual(response(b"HTTP/1.1 599 X\r\nContent-Length: 0\r\n\r\n").status, 599)

    def test_no_body(self) -> None:
        """HEAD, 1xx, 204 and 304 have none, whatever the fields say."""
        for status, method in ((200, b"HEAD"), (103, b"GET"), (204, b"GET"), (304, b"GET")):
            for field in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"X: y"):
                data = b"HTTP/1.1 %d X\r\n%b\r\n\r\n" % (status, field)
                made, new_body = parse_response_head(data, method)
                self.assertEqual(made.body_length, 0)
                self.assertIs(new_body(), EMPTY_BODY)

    def test_body_that_may_come_late(self) -> None:
        """A connection is not used again if a body may follow a response that must have none."""
        for method, status, field, expected in (
            (b"GET", 204, b"X: y", True),
            (b"GET", 204, b"Content-Length: 0", True),
            (b"GET", 204, b"Content-Length: 5", False),
            (b"GET", 204, b"Transfer-Encoding: chunked", False),
            (b"GET", 304, b"X: y", True),
            (b"GET", 304, b"Content-Length: 0", True),
            (b"GET", 304, b"Content-Length: 5", False),
            (b"GET", 304, b"Transfer-Encoding: chunked", False),
            (b"HEAD", 200, b"Content-Length: 0", True),
            (b"HEAD", 200, b"Content-Length: 5", False),
            (b"HEAD", 200, b"Transfer-Encoding: chunked", False),
            (b"HEAD", 200, b"X: y", False),
            (b"HEAD", 304, b"X: y", False),
            (b"HEAD", 200, b"Content-Length: 0\r\nConnection: close", False),
        ):
            made = response(b"HTTP/1.1 %d X\r\n%b\r\n\r\n" % (status, field), method)
            self.assertIs(made.keep_alive, expected, (method, status, field))

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


class KeptHeadTests(SynchronousTestCase):
    """What a head came to serves the next one that is the same."""

    HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"

    def test_shared(self) -> None:
        """The response is the same, its body is another one."""
        one, new_body = parse_response_head(self.HEAD, b"GET")
        other, _ = parse_response_head(self.HEAD, b"POST")
        self.assertIs(one, other)
        new_body().feed(b"abc")
        self.assertFalse(new_body().is_complete)

    def test_answer_to_head(self) -> None:
        """An answer to HEAD is another one: it has no body."""
        parse_response_head(self.HEAD, b"GET")
        made, new_body = parse_response_head(self.HEAD, b"HEAD")
        self.assertEqual((made.body_length, new_body()), (0, EMPTY_BODY))

    def test_limits(self) -> None:
        """A head that is kept is held to the limits of each response."""
        parse_response_head(self.HEAD, b"GET")
        for limits in (Limits(head_fields=0), Limits(head_size=len(self.HEAD) - 1)):
            self.assertRaises(ResponseError, parse_response_head, self.HEAD, b"GET", limits)

    def test_large(self) -> None:
        """A large head is not kept, nor one of many fields."""
        response_head._KEPT.clear()
        response(b"HTTP/1.1 200 OK\r\nX: " + b"a" * MAX_KEPT + HEAD_END)
        many = b"\r\na:" * (MAX_KEPT_FIELDS + 1)
        for _ in range(2):
            made = response(b"HTTP/1.1 200 OK" + many + HEAD_END)
            self.assertEqual(len(made.fields), MAX_KEPT_FIELDS + 1)
        self.assertEqual(len(response_head._KEPT), 0)


class ResponseHeadsTests(SynchronousTestCase):
    HEADS = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * MAX_KEPT + HEAD_END,
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nbad\r\n\r\n",
    )
    METHODS = (b"GET", b"HEAD")
    LIMITS = (Limits(), Limits(head_fields=0), Limits(head_size=40))

    def told(self, heads: ResponseHeads, data: bytes, method: bytes, limits: Limits) -> object:
        try:
            end = heads.read(data, 0, method, limits)
        except ResponseError as error:
            return str(error)
        if end < 0:
            return end
        response = heads.response
        return end, response.status, response.fields, response.body_length, type(heads.new_body())

    @settings(deadline=None, max_examples=200)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(HEADS),
                st.sampled_from((b"", b"abc", HEAD_END)),
                st.sampled_from(METHODS),
                st.sampled_from(LIMITS),
            ),
            max_size=12,
        )
    )
    def test_repeated(self, read: list[tuple[bytes, bytes, bytes, Limits]]) -> None:
        """A head is read as it would be if no other had come before it."""
        heads = ResponseHeads()
        for head, rest, method, limits in read:
            found = self.told(heads, head + rest, method, limits)
            expected = self.told(ResponseHeads(), head + rest, method, limits)
            self.assertEqual(found, expected)

    def test_incomplete(self) -> None:
        """A head that comes in pieces is read when its end has come, wherever it is cut."""
        head = self.HEADS[0]
        for cut in range(1, len(head)):
            heads = ResponseHeads()
            self.assertEqual(heads.read(head[:cut], 0, b"GET", self.LIMITS[0]), -1)
            self.assertEqual(heads.read(head + b"abc", cut, b"GET", self.LIMITS[0]), len(head))
