"""Tests of what of a request is hashed."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.message import Fields, Request
from ingress.policy.hash_key import VariableUnknown, parse_hash_key

ADDRESS = b"192.0.2.1"


def request(target: bytes = b"/a//b?x=1&y=2", **fields: bytes) -> Request:
    """:param fields: names with ``_`` for ``-``; a value with `` | `` is several fields."""
    lines: Fields = [
        (name.replace("_", "-").encode(), name.encode(), value)
        for name, values in fields.items()
        for value in values.split(b" | ")
    ]
    return Request(
        method=b"GET",
        target=target,
        path=b"/a/b",
        authority=b"Example.com:8080",
        host=b"example.com",
        fields=lines,
        body_length=0,
    )


def key(written: str, of: Request | None = None, address: bytes = ADDRESS) -> bytes:
    return parse_hash_key(written).of(of or request(), address)


class VariableTests(SynchronousTestCase):
    """Each variable has the value that nginx gives it."""

    def test_plain(self) -> None:
        """What every request has."""
        for written, value in (
            ("$request_uri", b"/a//b?x=1&y=2"),
            ("$uri", b"/a/b"),
            ("$args", b"x=1&y=2"),
            ("$request_method", b"GET"),
            ("$host", b"example.com"),
            ("$remote_addr", ADDRESS),
            ("$binary_remote_addr", ADDRESS),
            ("$HOST", b"example.com"),
        ):
            self.assertEqual(key(written), value, written)

    def test_field(self) -> None:
        """A field of the request by its name with underscores; several are one list."""
        self.assertEqual(key("$http_x_user_id", request(x_user_id=b"u 1")), b"u 1")
        self.assertEqual(key("$http_X_User_Id", request(x_user_id=b"u 1")), b"u 1")
        self.assertEqual(key("$http_x_tag", request(x_tag=b"a | b")), b"a, b")

    def test_argument(self) -> None:
        """The first argument of the query of this name, in either case, as it is written."""
        for target, value in (
            (b"/?user=a%20b&user=c", b"a%20b"),
            (b"/?x=user=1&USER=2", b"2"),
            (b"/?user", b""),
            (b"/user=1", b""),
            (b"/?a?user=1&user=2=3", b"2=3"),
        ):
            self.assertEqual(key("$arg_user", request(target)), value, target)

    def test_cookie(self) -> None:
        """The first cookie of this name, in either case, out of one field or several."""
        for cookie, value in (
            (b"user=1; user=2", b"1"),
            (b"a=user=1;USER=2", b"2"),
            (b"a=1 | user=2=3; b=4", b"2=3"),
            (b"xuser=1; user", b""),
            (b"", b""),
        ):
            self.assertEqual(key("$cookie_user", request(cookie=cookie)), value, cookie)


class KeyTests(SynchronousTestCase):
    """Variables and the text around them make the key."""

    def test_text(self) -> None:
        """Text stands for itself, and braces end a name."""
        self.assertEqual(key("a-$host-b"), b"a-example.com-b")
        self.assertEqual(key("${host}_$uri"), b"example.com_/a/b")
        self.assertEqual(key("$host$uri"), b"example.com/a/b")
        self.assertEqual(key("{host} \ud800ü"), b"{host} \xed\xa0\x80\xc3\xbc")

    def test_once(self) -> None:
        """What a client sends is a value, whatever it looks like."""
        self.assertEqual(key("$http_x", request(x=b"$host ${uri}")), b"$host ${uri}")

    def test_empty(self) -> None:
        """There is no key where no variable has a value; text alone is a key."""
        self.assertEqual(key("$http_x-text"), b"")
        self.assertEqual(key("$remote_addr", address=b""), b"")
        self.assertEqual(key("$http_x-$host"), b"-example.com")
        self.assertEqual(key("constant"), b"constant")

    def test_unknown(self) -> None:
        """A variable that is not in the table is refused, and the refusal names it."""
        for written, name in (
            ("$remote_user", "$remote_user;"),
            ("a${scheme}", "$scheme;"),
            ("$http_", "$http_;"),
            ("$arg_$host", "$arg_;"),
            ("$", "$;"),
            ("$$host", "$;"),
            ("${host", "$;"),
            ("${}", "$;"),
        ):
            error = self.assertRaises(VariableUnknown, parse_hash_key, written)
            self.assertIn(f"no variable {name}", str(error), written)
            self.assertIn(" $http_NAME ", str(error))
