"""Tests of texts with variables."""

from __future__ import annotations

import pickle
from base64 import b64encode

from twisted.trial.unittest import SynchronousTestCase

from ingress.believed_client import BelievedClient
from ingress.endpoint import UpstreamKey
from ingress.policy.context import PolicyContext
from ingress.policy.scope import RuleScope
from ingress.policy.variables import REQUEST_VARIABLES, VariableTable, VariableUnknown
from ingress.testing import policy_context, rule_scope

ADDRESS = b"192.0.2.1"


def request(
    target: bytes = b"/a//b?x=1&y=2", *, is_secure: bool = False, **fields: bytes
) -> PolicyContext:
    """:param fields: names with ``_`` for ``-``; a value with `` | `` is several fields."""
    return policy_context(
        target=target,
        path=b"/a/b",
        host=b"Example.com:8080",
        fields=[
            (name.replace("_", "-").encode(), value)
            for name, values in fields.items()
            for value in values.split(b" | ")
        ],
        is_secure=is_secure,
        address=ADDRESS,
        request_id=b"id-1",
    )


def value(written: str, of: PolicyContext | None = None) -> bytes:
    return REQUEST_VARIABLES.expand(REQUEST_VARIABLES.compile(written), of or request())


def basic(credentials: bytes) -> bytes:
    return b"Basic " + b64encode(credentials)


class ValueTests(SynchronousTestCase):
    """Each variable has the value that nginx gives it."""

    def test_plain(self) -> None:
        """What every request has."""
        for written, expected in (
            ("$request_uri", b"/a//b?x=1&y=2"),
            ("$escaped_request_uri", b"%2Fa%2F%2Fb%3Fx%3D1%26y%3D2"),
            ("$uri", b"/a/b"),
            ("$document_uri", b"/a/b"),
            ("$args", b"x=1&y=2"),
            ("$query_string", b"x=1&y=2"),
            ("$uri$is_args$args", b"/a/b?x=1&y=2"),
            ("$request_method", b"GET"),
            ("$request_id", b"id-1"),
            ("$host", b"example.com"),
            ("$http_host", b"Example.com:8080"),
            ("$best_http_host", b"Example.com:8080"),
            ("$scheme", b"http"),
            ("$pass_access_scheme", b"http"),
            ("$remote_addr", ADDRESS),
            ("$binary_remote_addr", ADDRESS),
            ("$the_real_ip", ADDRESS),
            ("$HOST", b"example.com"),
        ):
            self.assertEqual(value(written), expected, written)

    def test_empty_query(self) -> None:
        """A target that ends with its question mark has no arguments."""
        self.assertEqual(value("[$is_args$args]", request(b"/a?")), b"[]")

    def test_secure(self) -> None:
        """The scheme is the one that the client used."""
        self.assertEqual(
            value("$scheme $pass_access_scheme", request(is_secure=True)), b"https https"
        )

    def test_believed(self) -> None:
        """The best host is the one that is believed; the port is the public one."""
        made = request()
        client = BelievedClient(
            ADDRESS,
            b"outer.example:99",
            b"X-Forwarded-Port: 8443\r\nX-Forwarded-Proto: https\r\n",
            is_secure=True,
            is_trusted=True,
        )
        made.client = client
        self.assertEqual(value("$best_http_host $host", made), b"outer.example:99 example.com")
        self.assertEqual(value("$server_port", made), b"8443")
        self.assertEqual(value("$server_port"), b"")

    def test_user(self) -> None:
        """The user is the name in basic credentials; others name nobody."""
        for field, expected in (
            (basic(b"alice:secret"), b"alice"),
            (b"bAsIc  " + b64encode(b"alice:se:cret"), b"alice"),
            (basic(b"alice"), b""),
            (b"Basic %%%", b""),
            (b"Basic", b""),
            (b"Bearer YWxpY2U6c2VjcmV0", b""),
        ):
            self.assertEqual(value("$remote_user", request(authorization=field)), expected, field)
        self.assertEqual(value("$remote_user"), b"")

    def test_field(self) -> None:
        """A field of the request by its name with underscores; several are one list."""
        self.assertEqual(value("$http_x_user_id", request(x_user_id=b"u 1")), b"u 1")
        self.assertEqual(value("$http_X_User_Id", request(x_user_id=b"u 1")), b"u 1")
        self.assertEqual(value("$http_x_tag", request(x_tag=b"a | b")), b"a, b")
        self.assertEqual(value("$http_absent"), b"")

    def test_explain(self) -> None:
        """No variable has the token for explanations, however it is spelt."""
        sent = request(x_explain=b"0123456789abcdef")
        for written in ("$http_x_explain", "${http_X_Explain}"):
            self.assertEqual(value(written, sent), b"")

    def test_argument(self) -> None:
        """The first argument of the query of this name, in either case, as it is written."""
        for target, expected in (
            (b"/?user=a%20b&user=c", b"a%20b"),
            (b"/?x=user=1&USER=2", b"2"),
            (b"/?user", b""),
            (b"/user=1", b""),
            (b"/?a?user=1&user=2=3", b"2=3"),
        ):
            self.assertEqual(value("$arg_user", request(target)), expected, target)

    def test_cookie(self) -> None:
        """The first cookie of this name, in either case, out of one field or several."""
        for cookie, expected in (
            (b"user=1; user=2", b"1"),
            (b"a=user=1;USER=2", b"2"),
            (b"a=1 | user=2=3; b=4", b"2=3"),
            (b"xuser=1; user", b""),
            (b"", b""),
        ):
            self.assertEqual(value("$cookie_user", request(cookie=cookie)), expected, cookie)


class TextTests(SynchronousTestCase):
    """Variables and the text around them make the result."""

    def test_text(self) -> None:
        """Text stands for itself, and braces end a name."""
        self.assertEqual(value("a-$host-b"), b"a-example.com-b")
        self.assertEqual(value("${host}_$uri"), b"example.com_/a/b")
        self.assertEqual(value("$host$uri"), b"example.com/a/b")
        self.assertEqual(value("{host} \ud800ü"), b"{host} \xed\xa0\x80\xc3\xbc")

    def test_once(self) -> None:
        """What a client sends is a value, whatever it looks like."""
        self.assertEqual(value("$http_x", request(x=b"$host ${uri}")), b"$host ${uri}")

    def test_constant(self) -> None:
        """A text without variables is known before any request."""
        self.assertEqual(REQUEST_VARIABLES.compile("a b").constant, b"a b")
        self.assertEqual(REQUEST_VARIABLES.compile("").constant, b"")
        self.assertIsNone(REQUEST_VARIABLES.compile("a$host").constant)

    def test_rule(self) -> None:
        """The variables of a rule get their values when the text is adapted to it."""
        text = REQUEST_VARIABLES.compile("$namespace/$ingress_name/$service_name:${service_port}")
        self.assertIsNone(text.constant)
        rule = rule_scope(service="shop", port="http", namespace="prod")
        self.assertEqual(text.at(rule).constant, b"prod/web/shop:http")
        without = RuleScope("prod", "web", "", "/", "Prefix", None)
        self.assertEqual(text.at(without).constant, b"prod/web/:")
        odd = rule._replace(upstream=UpstreamKey("prod", "$host", "80"))
        self.assertEqual(text.at(odd).constant, b"prod/web/$host:80")
        plain = REQUEST_VARIABLES.compile("$host")
        self.assertIs(plain.at(rule), plain)

    def test_pickled(self) -> None:
        """A text goes to workers as it is."""
        text = REQUEST_VARIABLES.compile("$host-$http_x_$arg_y")
        copy = pickle.loads(pickle.dumps(text))
        self.assertEqual(copy, text)

    def test_unknown(self) -> None:
        """A variable that is not in the table is refused, and the refusal names it."""
        for written, name in (
            ("$connection", "$connection;"),
            ("a${upstream_addr}", "$upstream_addr;"),
            ("$http_", "$http_;"),
            ("$arg_$host", "$arg_;"),
            ("$", "$;"),
            ("$$host", "$;"),
            ("${host", "$;"),
            ("${}", "$;"),
            ("$1", "$1;"),
        ):
            error = self.assertRaises(VariableUnknown, REQUEST_VARIABLES.compile, written)
            self.assertIn(f"no variable {name}", str(error), written)
            self.assertIn(" $http_NAME ", str(error))
            self.assertIn(" $namespace ", str(error))

    def test_long(self) -> None:
        """A text of 100 KiB is compiled in no time, whatever is in it."""
        for piece in ("$", "${", "$host", "a"):
            written = piece * (100 * 1024 // len(piece))
            try:
                REQUEST_VARIABLES.compile(written)
            except VariableUnknown as error:
                self.assertLess(len(str(error)), 1000)

    def test_other_table(self) -> None:
        """A table may accept fewer variables, or others."""
        table: VariableTable[PolicyContext] = VariableTable({}, {}, ("namespace",))
        self.assertEqual(table.compile("$namespace").at(rule_scope()).constant, b"default")
        for written in ("$host", "$service_name"):
            error = self.assertRaises(VariableUnknown, table.compile, written)
            self.assertIn("there are $namespace", str(error))
