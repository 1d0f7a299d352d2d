"""Tests of the index of patterns."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.path_refusal import PathRefusal
from ingress.routing.build.pattern_list import PatternList
from ingress.routing.path_pattern import PathForm, PathPattern
from ingress.routing.pattern_index import MAX_SECONDS, PatternIndex, captures_of
from ingress.routing.route import Route
from ingress.steps import finish

EXPRESSION, UNKNOWN = PathForm.REGULAR_EXPRESSION, PathForm.UNKNOWN

PIECES = st.sampled_from(
    ["/", "a", "B", "foo", "bar", ".", ".*", "[a-c]+", "(/|$)", "(.*)", "x?", "a{2}", "(a|b)"]
)
TEXTS = st.lists(
    st.lists(PIECES, max_size=5).map(lambda parts: "/" + "".join(parts)), max_size=8, unique=True
)
PATHS = st.lists(st.sampled_from(["/", "a", "b", "A", "foo", "BAR", "xx"]), max_size=6).map(
    lambda parts: "/" + "".join(parts)
)


def route(text: str, form: PathForm = EXPRESSION, namespace: str = "default") -> Route:
    pattern = PathPattern(form, text.encode(), ignores_case=True)
    return Route((namespace, text), None, text, "ImplementationSpecific", pattern=pattern)


def found(index: PatternIndex, path: bytes) -> list[str]:
    return [one.path for one in index.candidates(path)]


class PatternIndexTests(SynchronousTestCase):
    def test_order(self) -> None:
        """All that match are found in the order in which they were given."""
        texts = ["/foo/bar/[a-z]{3}", "/foo/bar/bar", "/foo.+", "/.*", "/Foo", "/", "/other"]
        index = PatternIndex([route(text) for text in texts], None)
        self.assertEqual(found(index, b"/foo/bar/bar"), texts[:6])
        self.assertEqual(found(index, b"/FOO"), ["/.*", "/Foo", "/"])
        self.assertEqual(found(index, b"/x"), ["/.*", "/"])

    def test_beginnings(self) -> None:
        """A beginning may be longer than the path, and longer than what is looked up."""
        long = "/" + "a" * 100
        index = PatternIndex([route(long), route(long[:-1] + "(b|c)"), route("/a")], None)
        self.assertEqual(found(index, b"/a"), ["/a"])
        self.assertEqual(found(index, long[:80].encode()), ["/a"])
        self.assertEqual(found(index, long.upper().encode()), [long, "/a"])

    @given(TEXTS, PATHS)
    def test_reference(self, texts: list[str], path: str) -> None:
        """The first one is what ingress-nginx's order gives, one comparison after the other."""
        patterns = PatternList()
        for text in texts:
            patterns.add(b"", route(text))
        host = finish(patterns.freeze("a.example", None))
        first = host.route(path.encode())
        expected = next(
            (
                text
                for text in sorted(sorted(texts, reverse=True), key=lambda text: -len(text))
                if re.match(text, path, re.IGNORECASE)
            ),
            None,
        )
        self.assertEqual(first.path if first is not None else None, expected)


class NamespacesTests(SynchronousTestCase):
    """The patterns of several namespaces on one host: none takes requests from another."""

    def index(self, *routes: Route) -> PatternIndex:
        patterns = PatternList()
        for one in routes:
            patterns.add(one.path.encode(), one)
        index = finish(patterns.freeze("a.example", None)).index
        assert index is not None
        return index

    def first(self, index: PatternIndex, path: bytes) -> tuple[str, str]:
        next(index.candidates(path), None)
        # Twice, because results are kept.
        found = {index.find(path), index.find(path), next(index.candidates(path), None)}
        (one,) = found
        assert one is not None
        return one.ingress

    def test_plain_path(self) -> None:
        """However long an expression is, it takes no path of another namespace."""
        index = self.index(
            route("/admin", PathForm.PREFIX, "old"),
            route("/", PathForm.PREFIX, "old"),
            route("/(.*)", namespace="new"),
            route("/(admin|something-longer)(.*)", namespace="new"),
            route("/admin(/|$)(.*)", namespace="new"),
            route("/adm.*|/another-way", namespace="new"),
        )
        for path in (b"/admin", b"/admin/x", b"/ADMIN/x", b"/", b"/foo"):
            expected = "/admin" if path.lower().startswith(b"/admin") else "/"
            self.assertEqual(self.first(index, path), ("old", expected), path)

    def test_more_specific(self) -> None:
        """An expression has the paths that a plain path with its beginning would have."""
        index = self.index(
            route("/", PathForm.PREFIX, "old"),
            route("/api/v1(/|$)(.*)", namespace="new"),
            route("/(.*)[.]js", namespace="new"),
        )
        self.assertEqual(self.first(index, b"/api/v1/x")[0], "new")
        self.assertEqual(self.first(index, b"/api/v2/x")[0], "old")
        self.assertEqual(self.first(index, b"/x.js")[0], "old")

    def test_age(self) -> None:
        """Of equal beginnings the namespace that was first counts, and an exact path."""
        old, new = (
            route("/a(/|$)(.*)", namespace="old"),
            route("/a/.*(and-longer)?", namespace="new"),
        )
        self.assertEqual(self.first(self.index(old, new), b"/a/x")[0], "old")
        self.assertEqual(self.first(self.index(new, old), b"/a/x")[0], "new")
        exact = route("/a", PathForm.EXACT, "new")
        self.assertEqual(self.first(self.index(old, exact), b"/a")[0], "new")

    def test_segments(self) -> None:
        """A slash more makes an expression no more specific than a path with all below it."""
        expression = route("/admin/(.*)", namespace="new")
        for own in (
            route("/admin", PathForm.PREFIX, "old"),
            route("/admin(/|$)(.*)", namespace="old"),
        ):
            index = self.index(own, expression)
            self.assertEqual(self.first(index, b"/admin/x")[0], "old")
            self.assertEqual(self.first(index, b"/admin")[0], "old")
            exact = route("/admin", PathForm.EXACT, "new")
            self.assertEqual(self.first(self.index(own, exact), b"/admin")[0], "new")
        deeper = route("/admin/x(.*)", namespace="new")
        self.assertEqual(self.first(self.index(own, deeper), b"/admin/x")[0], "new")

    def test_own_order(self) -> None:
        """Within a namespace the longest expression goes first, as everywhere."""
        index = self.index(
            route("/", PathForm.PREFIX, "old"),
            route("/a/.*", namespace="new"),
            route("/a(/b.*|/something-longer)", namespace="new"),
        )
        expected = ["/a(/b.*|/something-longer)", "/a/.*", "/"]
        self.assertEqual(found(index, b"/a/b"), expected)

    def test_time(self) -> None:
        """Expressions that take long hold up no path of another namespace."""
        now = [0.0]

        def clock() -> float:
            now[0] += MAX_SECONDS
            return now[0]

        slow = [route(f"/.*{number:03}.*", namespace="slow") for number in range(100)]
        plain = route("/admin", PathForm.PREFIX, "other")
        index = PatternIndex([*slow, plain], None, clock)
        self.assertEqual(next(index.candidates(b"/admin")), plain)
        late = route("/admin/x.*", namespace="other")
        index = PatternIndex([*slow, late], None, clock)
        self.assertEqual(next(index.candidates(b"/admin/x")), late)


class FindTests(SynchronousTestCase):
    """The first one, which is found again and again."""

    def test_found(self) -> None:
        """It is the first candidate, for each path, and again for the same path."""
        index = PatternIndex([route("/a(/|$)(.*)"), route("/b[0-9]")], None)
        self.assertFalse(index.is_simple)
        next(index.candidates(b"/a"))
        self.assertTrue(index.is_simple)
        for path, expected in ((b"/a/x", "/a(/|$)(.*)"), (b"/b1", "/b[0-9]"), (b"/c", None)) * 2:
            first = index.find(path)
            self.assertEqual(first.path if first is not None else None, expected)

    def test_captures(self) -> None:
        """The captures are those of this Route and path, whatever was looked for in between."""
        first, second = route("/a(/|$)(.*)"), route("/(b[0-9])")
        index = PatternIndex([first, second], None)
        next(index.candidates(b"/a"))
        for path in (b"/a/x", b"/a/y", b"/a/x"):
            self.assertIs(index.find(path), first)
            self.assertEqual(captures_of(first, path), (b"/", path[3:]))
            index.find(b"/b1")
            self.assertEqual(captures_of(first, path), (b"/", path[3:]))
            self.assertEqual(captures_of(second, b"/b1"), (b"b1",))

    def test_two_hosts(self) -> None:
        """What one host has for a path is nothing to another one."""
        one, other = (PatternIndex([route(text)], None) for text in ("/a(.*)", "/[a]"))
        for index in (one, other):
            next(index.candidates(b"/a"))
        for index, expected in ((one, "/a(.*)"), (other, "/[a]"), (one, "/a(.*)")):
            found_route = index.find(b"/a")
            assert found_route is not None
            self.assertEqual(found_route.path, expected)

    def test_complicated(self) -> None:
        """With conditions or unknown patterns a Route is not found by its path alone."""
        index = PatternIndex([route("/a(?!b)", UNKNOWN), route("/")], None)
        next(index.candidates(b"/"))
        self.assertFalse(index.is_simple)


class UnknownTests(SynchronousTestCase):
    """Patterns that cannot be matched close what they may match, within their namespace."""

    def test_own_namespace(self) -> None:
        """It goes before the shorter ones of its namespace, and after the longer ones."""
        index = PatternIndex(
            [route("/admin/public/x(.*)"), route("/admin/(?!public)", UNKNOWN), route("/")], None
        )
        self.assertEqual(found(index, b"/admin/public/x")[0], "/admin/public/x(.*)")
        self.assertEqual(found(index, b"/admin/public")[0], "/admin/(?!public)")
        self.assertEqual(found(index, b"/other"), ["/"])

    def test_other_namespace(self) -> None:
        """What another namespace would serve without it, that one serves."""
        index = PatternIndex(
            [route("/(?!admin)(.*)", UNKNOWN), route("/shop", namespace="shop"), route("/s")], None
        )
        self.assertEqual(found(index, b"/shop")[0], "/shop")
        self.assertEqual(found(index, b"/s")[0], "/(?!admin)(.*)")
        self.assertEqual(found(index, b"/x"), ["/(?!admin)(.*)"])

    def test_default(self) -> None:
        """So it is with the default backend of another namespace."""
        closed = [route("/(?!admin)(.*)", UNKNOWN)]
        own, other = route("/"), route("/", namespace="shop")
        self.assertEqual(found(PatternIndex(closed, own), b"/x"), ["/(?!admin)(.*)"])
        self.assertEqual(found(PatternIndex(closed, other), b"/x"), [])


class CostTests(SynchronousTestCase):
    """No path costs much, whatever patterns a host has."""

    def test_long_path(self) -> None:
        """A path that cannot be compared with a pattern in time is refused, and not passed on."""
        index = PatternIndex([route("/(.{1,300}){1,3}z"), route("/")], None)
        first = next(index.candidates(b"/" * 8000))
        self.assertEqual((first.path, first.policies), ("/(.{1,300}){1,3}z", (PathRefusal(),)))
        self.assertEqual(found(index, b"/a"), ["/"])

    def test_many_patterns(self) -> None:
        """A path that takes too long with many patterns is refused."""
        routes = [route(f"/[a-z]*{number}x") for number in range(100)]
        seconds = iter(range(100))
        index = PatternIndex([*routes, route("/")], None, lambda: next(seconds) * MAX_SECONDS)
        (refused,) = index.candidates(b"/ab")
        self.assertEqual(refused.policies, (PathRefusal(),))

    def test_in_time(self) -> None:
        """Many patterns that are compared quickly are all compared."""
        routes = [route(f"/[a-z]*{number}x") for number in range(100)]
        index = PatternIndex([*routes, route("/")], None, lambda: 1.0)
        self.assertEqual(found(index, b"/ab"), ["/"])
        self.assertEqual(found(index, b"/ab99x"), ["/[a-z]*99x", "/"])

    def test_thousands(self) -> None:
        """Of thousands with different beginnings only those are compared that may match."""
        index = PatternIndex(
            [route(f"/service-{number}(/|$)(.*)") for number in range(1000, 4000)], None
        )
        next(index.candidates(b"/service-2999/x"))
        self.assertTrue(index.is_simple)
        self.assertEqual(len(index._possible(b"/service-2999/x")), 1)
        self.assertEqual(found(index, b"/service-2999/x"), ["/service-2999(/|$)(.*)"])
