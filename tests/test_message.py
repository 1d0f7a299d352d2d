"""Tests of `ingress.message`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.message import IDEMPOTENT_METHODS, Request, argument_of


def make_request(body_length: int | None = 0) -> Request:
    return Request(
        method=b"GET",
        target=b"/",
        path=b"/",
        authority=b"a",
        host=b"a",
        fields=[(b"x-one", b"X-One", b"1"), (b"x-one", b"x-one", b"2")],
        body_length=body_length,
    )


class RequestTests(SynchronousTestCase):
    def test_field(self) -> None:
        """The first value of a name is found; None where there is none."""
        self.assertEqual(make_request().field(b"x-one"), b"1")
        self.assertIsNone(make_request().field(b"x-two"))

    def test_listed(self) -> None:
        """All values of a name are one list; the host is the authority."""
        self.assertEqual(make_request().listed(b"x-one"), b"1, 2")
        self.assertEqual(make_request().listed(b"host"), b"a")
        self.assertIsNone(make_request().listed(b"x-two"))

    def test_cookie(self) -> None:
        """The first cookie of a name is found in any field, and in either case."""
        request = make_request()
        request.fields = [
            (b"cookie", b"Cookie", b"a=1;\tB=2=3"),
            (b"x-one", b"X-One", b"c=4"),
            (b"cookie", b"cookie", b"b=5; c=6"),
        ]
        self.assertEqual([request.cookie(name) for name in (b"b", b"c", b"d")], [b"2=3", b"6", b""])

    def test_query(self) -> None:
        """The query begins behind the first question mark."""
        request = make_request()
        self.assertEqual(request.query, b"")
        request.target = b"/?a?b"
        self.assertEqual(request.query, b"a?b")

    def test_argument(self) -> None:
        """The first argument of a name is found, in either case and as it is written."""
        query = b"x&A=%20&a=1&b=2=3"
        found = [argument_of(query, name) for name in (b"a", b"b", b"x", b"c")]
        self.assertEqual(found, [b"%20", b"2=3", b"", b""])

    def test_has_body(self) -> None:
        """A body of unknown length is one."""
        self.assertFalse(make_request(0).has_body)
        self.assertTrue(make_request(1).has_body)
        self.assertTrue(make_request(None).has_body)

    def test_protocol(self) -> None:
        """The version has the name that nginx gives it."""
        request = make_request()
        self.assertEqual(request.protocol, b"HTTP/1.1")
        request.is_http_10 = True
        self.assertEqual(request.protocol, b"HTTP/1.0")
        request.is_http_10, request.is_http_2 = False, True
        self.assertEqual(request.protocol, b"HTTP/2.0")

    def test_with_body(self) -> None:
        """A request without a body becomes one whose body has no known length."""
        request = make_request()
        request.length = 7
        other = request.with_body()
        self.assertEqual((request.body_length, other.body_length), (0, None))
        self.assertEqual((other.length, other.cache), (7, request.cache))

    def test_identity(self) -> None:
        """Two requests are never the same, even if they say the same."""
        self.assertNotEqual(make_request(), make_request())


class IdempotentMethodsTests(SynchronousTestCase):
    def test_unsafe_to_repeat(self) -> None:
        """POST and PATCH are never sent again on our own account."""
        self.assertTrue(IDEMPOTENT_METHODS.isdisjoint({b"POST", b"PATCH", b"LOCK"}))
