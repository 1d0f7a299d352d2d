"""Tests of `ingress.policy.proxy_cookie`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.decision import Proceed
from ingress.policy.policy import Phase, phases_of
from ingress.policy.proxy_cookie import ProxyCookie, Replacement
from ingress.testing import endpoint_response, policy_context, read_annotations, verdict_of
from tests.support.objects import built, ingress, problems_of, served
from tests.support.wire import Wire

DOMAIN = Replacement(b"inner.example", b"a.example")
PATH = Replacement(b"/app/", b"/")


def read(domain: str = "", path: str = "") -> tuple[object, list[str]]:
    """What is read, and the annotations that are at fault."""
    values = {"proxy-cookie-domain": domain, "proxy-cookie-path": path}
    reading = read_annotations(ProxyCookie, values)
    return reading.feature, list(reading.faults)


class ReadTests(SynchronousTestCase):
    def test_pairs(self) -> None:
        """Each annotation has two words; dots at the beginning of domains do not matter."""
        self.assertEqual(read("inner.example a.example"), (ProxyCookie(DOMAIN), []))
        self.assertEqual(read(".inner.example  .a.example"), (ProxyCookie(DOMAIN), []))
        self.assertEqual(read("", "/app/ /"), (ProxyCookie(None, PATH), []))
        self.assertEqual(
            read("inner.example a.example", "/app/ /"), (ProxyCookie(DOMAIN, PATH), [])
        )

    def test_off(self) -> None:
        """Nothing is replaced by default."""
        self.assertEqual(read_annotations(ProxyCookie, {}), (None, {}, None))
        self.assertEqual(read("off", "off"), (None, []))

    def test_bad_values(self) -> None:
        """Variables, bad patterns and what ends a field are faults, and replace nothing."""
        for bad in (
            "a",
            "a b c",
            "~(a b",
            "~a",
            "~a $host",
            "$host a",
            "/a $1",
            "/a ;/b",
            "/a\r\nX: y /b",
            "/a /b\r\nX:y",
            "/a\n/b",
            "/a\0 /b",
            '"/a" "/b"',
            "\xe4 \xf6",
            "/" + "a" * 100 * 1024 + " /",
            "a" * 100 * 1024 + " b",
        ):
            self.assertEqual(read(domain=bad), (None, ["proxy-cookie-domain"]), bad)
            self.assertEqual(read(path=bad), (None, ["proxy-cookie-path"]), bad)


class DecisionTests(SynchronousTestCase):
    policy = ProxyCookie(DOMAIN, PATH)

    def changed(self, cookie: bytes) -> bytes:
        """The cookie that the client gets."""
        fields = ((b"Set-Cookie", cookie),)
        response = endpoint_response(200, fields)
        verdict = verdict_of(self.policy.response(policy_context(), response))
        assert isinstance(verdict, Proceed)
        ((_, value),) = verdict.response_edits.apply(fields)
        return value

    def test_phase(self) -> None:
        """It looks at responses of endpoints."""
        self.assertEqual(phases_of(ProxyCookie), {Phase.RESPONSE})

    def test_domain(self) -> None:
        """A domain is replaced if it is the same, without regard to case; a dot stays before it."""
        for written, expected in (
            (b"Domain=inner.example", b"Domain=a.example"),
            (b"Domain=.INNER.example", b"Domain=.a.example"),
            (b"Domain= inner.example ", b"Domain=a.example"),
        ):
            self.assertEqual(self.changed(b"a=b; " + written), b"a=b; " + expected)
        for written in (b"Domain=x.inner.example", b"Domain=inner.example.org", b"Domain"):
            self.assertEqual(self.changed(b"a=b; " + written), b"a=b; " + written)

    def test_path(self) -> None:
        """The beginning of a path is replaced; the rest of the cookie stays as it is."""
        self.assertEqual(
            self.changed(b"a=b; Secure; path=/app/x/app/; HttpOnly"),
            b"a=b; Secure; path=/x/app/; HttpOnly",
        )
        for cookie in (b"a=b; Path=/other/app/", b"a=b; Path=/APP/", b"a=b"):
            self.assertEqual(self.changed(cookie), cookie)

    def test_patterns(self) -> None:
        """Regular expressions replace the whole attribute, those of domains without a case."""
        policy, _ = read(r"~^\.?(\w+)\.inner\.example$ $1.a.example", "~*^/App/([^/]*) /$1")
        assert isinstance(policy, ProxyCookie)
        self.policy = policy
        self.assertEqual(
            self.changed(b"a=b; Domain=.X.Inner.example; Path=/app/y/z; HttpOnly"),
            b"a=b; Domain=X.a.example; Path=/y; HttpOnly",
        )
        cookie = b"a=b; Domain=inner.example; Path=/other/"
        self.assertEqual(self.changed(cookie), cookie)

    def test_name(self) -> None:
        """A cookie may be called like an attribute."""
        self.assertEqual(self.changed(b"path=/app/; Path=/app/"), b"path=/app/; Path=/")

    def test_one(self) -> None:
        """Without an annotation for it, the other attribute stays."""
        cookie = b"a=b; Domain=inner.example; Path=/app/"
        self.policy = ProxyCookie(DOMAIN)
        self.assertEqual(self.changed(cookie), b"a=b; Domain=a.example; Path=/app/")
        self.policy = ProxyCookie(None, PATH)
        self.assertEqual(self.changed(cookie), b"a=b; Domain=inner.example; Path=/")

    def test_no_cookie(self) -> None:
        """Responses without cookies are not touched."""
        self.assertIsNone(self.policy.response(policy_context(), endpoint_response()))

    def test_shown(self) -> None:
        """It shows and explains itself."""
        self.assertEqual(
            self.policy.explain(),
            "In cookies of endpoints the domain inner.example becomes a.example and the path "
            "/app/ becomes /.",
        )
        self.assertEqual(
            ProxyCookie(None, PATH).shown(), {"proxyCookie": {"path": {"from": "/app/", "to": "/"}}}
        )


class WireTests(SynchronousTestCase):
    def test_exchange(self) -> None:
        """Several cookies of an endpoint stay several, in order; ours for the session is added."""
        values = {"proxy-cookie-path": "/app /", "affinity": "cookie"}
        result = built(ingress("a.example", {"/": "web:80"}, annotations=values), served("web"))
        self.assertEqual(problems_of(result), [])
        wire = Wire()
        wire.plane.publish(result.snapshot)
        client = wire.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        endpoint = wire.accept()
        endpoint.read()
        endpoint.send(
            b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/app\r\nX-Y: z\r\n"
            b"Set-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok"
        )
        answer = client.receive()
        self.assertEqual((answer.rest, answer.values(b"X-Y")), (b"ok", [b"z"]))
        first, second, session = answer.values(b"Set-Cookie")
        self.assertEqual((first, second), (b"a=1; Path=/", b"b=2"))
        self.assertTrue(session.startswith(b"INGRESSCOOKIE="), session)
