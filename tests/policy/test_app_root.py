"""Tests of `ingress.policy.app_root`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.policy.app_root import AppRoot
from ingress.testing import policy_context, read_annotations, rule_scope, verdict_of
from tests.support.objects import built, ingress, problems_of, served
from tests.support.wire import Wire

SHOP = AppRoot("/shop/")


class ReadTests(SynchronousTestCase):
    def test_path(self) -> None:
        """A path of the same host is accepted, with a query if it has one."""
        for path in ("/shop", "/shop/", "/a/b?c=d&e=f", "/~me/.x"):
            reading = read_annotations(AppRoot, {"app-root": path})
            self.assertEqual((reading.feature, reading.faults), (AppRoot(path), {}))

    def test_nothing(self) -> None:
        """Without a path nothing is redirected."""
        for values in ({}, {"app-root": ""}, {"app-root": " "}, {"relative-redirects": "true"}):
            self.assertEqual(read_annotations(AppRoot, values), (None, {}, None))

    def test_relative(self) -> None:
        """The Location is a path if that is asked for."""
        values = {"app-root": "/shop", "relative-redirects": "true"}
        self.assertEqual(read_annotations(AppRoot, values).feature, AppRoot("/shop", True))

    def test_bad_values(self) -> None:
        """A value that is no path, ends its field or leads to / again is a fault, and ignored."""
        for value in (
            "shop",
            "http://evil.example/",
            "//evil.example",
            "/",
            "/?x=y",
            "/./",
            "/shop/..",
            "/a b",
            "/a\r\nX: y",
            "/a\nb",
            '/"a"',
            "/$request_uri",
            "/a\0",
            "/\xe4",
            "/" + "a" * 100 * 1024,
        ):
            reading = read_annotations(AppRoot, {"app-root": value})
            self.assertIsNone(reading.feature, value)
            self.assertIn("/ is not redirected", reading.faults["app-root"])


class RuleTests(SynchronousTestCase):
    def test_rules(self) -> None:
        """Rules that cannot match / are left as they are."""
        for path, path_type in (("/shop", "Prefix"), ("/shop/", "Prefix"), ("/a", "Exact")):
            self.assertIsNone(SHOP.at(rule_scope(path, path_type=path_type)))
        for path, path_type in (
            ("/", "Prefix"),
            ("/", "Exact"),
            ("", "ImplementationSpecific"),
            ("/(shop)?", "ImplementationSpecific"),
        ):
            self.assertEqual(SHOP.at(rule_scope(path, path_type=path_type)), SHOP)


class DecisionTests(SynchronousTestCase):
    def test_root(self) -> None:
        """A request for / is redirected with its scheme, host and port, but without its query."""
        for target in (b"/", b"/?x=y"):
            context = policy_context(b"GET", target, host=b"a.example:8443", is_secure=True)
            answer = verdict_of(SHOP.request(context))
            assert isinstance(answer, Answer)
            self.assertEqual(answer.status, 302)
            self.assertEqual(answer.fields, ((b"Location", b"https://a.example:8443/shop/"),))

    def test_relative(self) -> None:
        """The Location is the path alone if that is asked for, or if the request has no host."""
        for policy, host in ((AppRoot("/shop", True), b"a.example"), (AppRoot("/shop"), b"")):
            answer = verdict_of(policy.request(policy_context(host=host)))
            assert isinstance(answer, Answer)
            self.assertEqual(answer.fields, ((b"Location", b"/shop"),))

    def test_other_paths(self) -> None:
        """All other requests pass."""
        for target in (b"/shop/", b"/x", b"/index.html", b"*"):
            self.assertIsNone(SHOP.request(policy_context(b"GET", target)))

    def test_shown(self) -> None:
        """It shows and explains itself."""
        self.assertEqual(SHOP.explain(), "Requests for / are redirected to /shop/ (302).")
        self.assertEqual(SHOP.shown(), {"appRoot": "/shop/"})


class WireTests(SynchronousTestCase):
    def test_exchange(self) -> None:
        """A client of an application below /shop is redirected there from /, and served there."""
        web = ingress("a.example", {"/shop": "web:80"}, annotations={"app-root": "/shop"})
        result = built(web, served("web"))
        self.assertEqual(problems_of(result), [])
        wire = Wire()
        wire.plane.publish(result.snapshot)
        client = wire.connect()
        client.send(b"GET /?x HTTP/1.1\r\nHost: a.example\r\n\r\n")
        answer = client.receive()
        self.assertEqual(answer.status, 302)
        self.assertEqual(answer.values(b"Location"), [b"http://a.example/shop"])
        client.send(b"GET /shop HTTP/1.1\r\nHost: a.example\r\n\r\n")
        self.assertEqual(wire.accept().receive().first_line, b"GET /shop HTTP/1.1")
