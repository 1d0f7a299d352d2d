"""Tests of `ingress.policy.proxy_redirect`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.decision import Proceed
from ingress.policy.policy import Phase, phases_of
from ingress.policy.proxy_redirect import ProxyRedirect
from ingress.testing import endpoint_response, policy_context, read_annotations, verdict_of
from tests.support.objects import built, ingress, problems_of, served
from tests.support.wire import Wire

INNER, OUTER = "http://inner:8080/app/", "https://a.example/"


def read(beginning: str, replacement: str) -> tuple[object, list[str]]:
    """What is read, and the annotations that are at fault."""
    values = {"proxy-redirect-from": beginning, "proxy-redirect-to": replacement}
    reading = read_annotations(ProxyRedirect, values)
    return reading.feature, list(reading.faults)


class ReadTests(SynchronousTestCase):
    def test_text(self) -> None:
        """The beginning of a URL is replaced by another."""
        expected = ProxyRedirect(INNER.encode(), OUTER.encode())
        self.assertEqual(read(INNER, OUTER), (expected, []))
        self.assertEqual(read("inner", "/"), (ProxyRedirect(b"inner", b"/"), []))

    def test_off(self) -> None:
        """Nothing is replaced by default, and by nginx's default, which no endpoint's URL meets."""
        self.assertEqual(read_annotations(ProxyRedirect, {}), (None, {}, None))
        for beginning in ("", "off", "default"):
            self.assertEqual(read(beginning, OUTER), (None, []))

    def test_half(self) -> None:
        """A beginning without a replacement is a fault."""
        for replacement in ("", "off"):
            self.assertEqual(read(INNER, replacement), (None, ["proxy-redirect-from"]))

    def test_bad_values(self) -> None:
        """Variables and what ends a field are faults, and replace nothing."""
        for bad in (
            "http://$host/",
            "a b",
            "a\r\nX: y",
            "a\nb",
            "a\0b",
            '"a"',
            "a\\b",
            "a;b",
            "\xe4",
            "a" * 100 * 1024,
        ):
            self.assertEqual(read(bad, OUTER), (None, ["proxy-redirect-from"]))
            self.assertEqual(read(INNER, bad), (None, ["proxy-redirect-to"]))

    def test_pattern(self) -> None:
        """A regular expression replaces the whole URL; a bad one is a fault."""
        for beginning, replacement, faults in (
            ("~*^http://inner(/.*)$", "https://a.example$1", []),
            ("~^(?!x)", "/", ["proxy-redirect-from"]),
            ("~/x", "$host", ["proxy-redirect-from"]),
            ("~/x", "~y", []),
        ):
            feature, found = read(beginning, replacement)
            self.assertEqual((feature is None, found), (bool(faults), faults))


class DecisionTests(SynchronousTestCase):
    policy = ProxyRedirect(INNER.encode(), OUTER.encode())

    def changed(self, *fields: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        """The fields that the client gets."""
        response = endpoint_response(302, fields)
        verdict = verdict_of(self.policy.response(policy_context(), response))
        assert isinstance(verdict, Proceed)
        return verdict.response_edits.apply(fields)

    def test_phase(self) -> None:
        """It looks at responses of endpoints alone, not at the proxy's own redirects."""
        self.assertEqual(phases_of(ProxyRedirect), {Phase.RESPONSE})

    def test_location(self) -> None:
        """The beginning of Location is replaced, and all that follows stays."""
        self.assertEqual(
            self.changed((b"Location", INNER.encode() + b"x?y=z#" + INNER.encode())),
            [(b"Location", OUTER.encode() + b"x?y=z#" + INNER.encode())],
        )

    def test_refresh(self) -> None:
        """So is that of the URL in Refresh."""
        for url in (b"url=", b"URL="):
            self.assertEqual(
                self.changed((b"Refresh", b"3; " + url + INNER.encode() + b"x")),
                [(b"Refresh", b"3; " + url + OUTER.encode() + b"x")],
            )
        self.assertEqual(self.changed((b"Refresh", b"3")), [(b"Refresh", b"3")])

    def test_pattern(self) -> None:
        """A regular expression is looked for in the URL alone."""
        policy, _ = read("~^http://inner:[0-9]+/(app)/(.*)", "https://a.example/$2#$1")
        assert isinstance(policy, ProxyRedirect)
        self.policy = policy
        for name, before in ((b"Location", b""), (b"Refresh", b"3; url=")):
            self.assertEqual(
                self.changed((name, before + INNER.encode() + b"x")),
                [(name, before + b"https://a.example/x#app")],
            )
            self.assertEqual(self.changed((name, before + b"/y")), [(name, before + b"/y")])
        self.assertIn("in which ~^http://inner", policy.explain())

    def test_others(self) -> None:
        """Other redirects stay, and other responses are not touched."""
        for place in (b"/x", b"http://other/", b"HTTP://inner:8080/app/", b"x" + INNER.encode()):
            self.assertEqual(self.changed((b"Location", place)), [(b"Location", place)])
        plain = endpoint_response(200, ((b"Content-Location", INNER.encode()),))
        self.assertIsNone(self.policy.response(policy_context(), plain))

    def test_shown(self) -> None:
        """It shows and explains itself."""
        self.assertEqual(
            self.policy.explain(), f"Redirects of endpoints to {INNER} lead to {OUTER} instead."
        )
        self.assertEqual(self.policy.shown(), {"proxyRedirect": {"from": INNER, "to": OUTER}})


class WireTests(SynchronousTestCase):
    def test_exchange(self) -> None:
        """A client follows the redirect of an endpoint to the outer address."""
        values = {"proxy-redirect-from": INNER, "proxy-redirect-to": OUTER}
        result = built(ingress("a.example", {"/": "web:80"}, annotations=values), served("web"))
        self.assertEqual(problems_of(result), [])
        wire = Wire()
        wire.plane.publish(result.snapshot)
        client = wire.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        endpoint = wire.accept()
        endpoint.read()
        endpoint.send(
            b"HTTP/1.1 302 Found\r\nLocation: http://inner:8080/app/login\r\n"
            b"Content-Length: 2\r\n\r\nok"
        )
        answer = client.receive()
        self.assertEqual((answer.status, answer.rest), (302, b"ok"))
        self.assertEqual(answer.values(b"Location"), [b"https://a.example/login"])
