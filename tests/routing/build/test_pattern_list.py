"""Tests of hosts whose rules are an ordered list of patterns."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.routing.build.pattern_list import PatternList
from ingress.routing.condition import FieldCondition
from ingress.routing.match import find_captures, find_route
from ingress.routing.path_pattern import PathForm, PathPattern
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot, VirtualHost
from ingress.steps import finish
from ingress.testing import policy_context

NEW = FieldCondition(b"x-version", b"new")


def expression(name: str, text: str, *conditions: FieldCondition) -> Route:
    """A Route of Ingress `name` for a regular expression."""
    pattern = PathPattern(PathForm.REGULAR_EXPRESSION, text.encode(), ignores_case=True)
    return Route(
        ("default", name),
        None,
        text,
        "ImplementationSpecific",
        pattern=pattern,
        conditions=conditions,
    )


def plain(name: str, path: str, path_type: str = "Prefix") -> Route:
    return Route(("default", name), None, path, path_type)


def host(*routes: Route, default: Route | None = None) -> VirtualHost:
    patterns = PatternList()
    for route in routes:
        assert patterns.add(route.path.encode(), route) is None
    return finish(patterns.freeze("a.example", default))


class PatternListTests(SynchronousTestCase):
    def found(self, virtual_host: VirtualHost, path: bytes, version: bytes = b"") -> str | None:
        """The name of the Ingress whose rule a request meets."""
        snapshot = Snapshot(Config(), hosts={b"a.example": virtual_host})
        request = policy_context(fields=((b"X-Version", version),)).request
        route = find_route(snapshot, b"a.example", path, request)
        return route.ingress[1] if route is not None else None

    def test_first_match(self) -> None:
        """The longest text that matches wins, whether it is a regular expression or not."""
        one = host(
            plain("plain", "/foo/bar/bar"),
            expression("long", "/foo/bar/[a-z]{3}"),
            expression("short", "/foo.+"),
            plain("root", "/"),
        )
        for path, expected in (
            (b"/foo/bar/bar", "long"),
            (b"/FOO/bar/xyz", "long"),
            (b"/foo/bar/1", "short"),
            (b"/foo", "root"),
            (b"/other", "root"),
        ):
            self.assertEqual(self.found(one, path), expected, path)

    def test_default(self) -> None:
        """What no pattern matches gets the default backend, or nothing."""
        self.assertIsNone(self.found(host(expression("a", "/a")), b"/b"))
        one = host(expression("a", "/a"), default=plain("default", "/"))
        self.assertEqual(self.found(one, b"/b"), "default")

    def test_conditions(self) -> None:
        """Of two rules of one pattern, the one with conditions is tried first."""
        one = host(expression("all", "/a(.*)"), expression("new", "/a(.*)", NEW))
        self.assertEqual(self.found(one, b"/ab", b"new"), "new")
        self.assertEqual(self.found(one, b"/ab", b"old"), "all")

    def test_captures(self) -> None:
        """The captures of a match are found for its Route; other Routes have none."""
        one = host(expression("a", "/a(/|$)(.*)"), plain("root", "/"))
        first, last = one.patterns
        self.assertEqual(find_captures(first, b"/A/b"), (b"/", b"b"))
        self.assertEqual(find_captures(last, b"/x"), ())
        self.assertEqual(find_captures(plain("tree", "/"), b"/x"), ())

    def test_duplicates(self) -> None:
        """The second of two equal rules loses against the first."""
        patterns = PatternList()
        patterns.add(b"", expression("one", "/a"))
        taken = patterns.add(b"", expression("two", "/a"))
        assert taken is not None
        self.assertEqual(taken.ingress[1], "one")
        self.assertIsNone(patterns.add(b"", expression("two", "/a", NEW)))
