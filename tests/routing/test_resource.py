"""Tests of the walk through a host's tree."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.routing.build.tree import ResourceTree
from ingress.routing.condition import FieldCondition
from ingress.routing.resource import ReverseProxyResource
from ingress.routing.route import Route
from ingress.steps import finish

EXACT, PREFIX, PARTIAL = "Exact", "Prefix", "ImplementationSpecific"


def tree(*rules: tuple[str, str]) -> ReverseProxyResource:
    """:param rules: path type and path."""
    resource_tree = ResourceTree()
    for path_type, path in rules:
        resource_tree.add(path.encode(), Route(("default", "x"), None, path, path_type))
    return finish(resource_tree.freeze("", None)).root


def found(root: ReverseProxyResource, path: str) -> tuple[str, str] | None:
    route = root.find(path.encode())
    return (route.path_type, route.path) if route is not None else None


def slow_find(rules: list[tuple[str, str]], path: str) -> tuple[str, str] | None:
    """
    The longest wins, Exact before Prefix before the third type. An Exact rule that
    matches is as long as the path; ``/a/`` of a Prefix rule is no longer than that.
    """
    matching = [rule for rule in rules if _matches(*rule, path)]
    return max(
        matching,
        key=lambda rule: (rule[0] == EXACT, len(rule[1]), rule[0] == PREFIX),
        default=None,
    )


def _matches(path_type: str, rule: str, path: str) -> bool:
    if path_type == EXACT:
        return path == rule
    if path_type == PARTIAL:
        return path.startswith(rule)
    stripped = rule.rstrip("/")
    return path == stripped or path.startswith(f"{stripped}/")


class FindTests(SynchronousTestCase):
    def assert_found(
        self, rules: list[tuple[str, str]], table: Mapping[str, tuple[str, str] | None]
    ) -> None:
        root = tree(*rules)
        for path, expected in table.items():
            with self.subTest(path=path):
                self.assertEqual(found(root, path), expected)

    def test_exact(self) -> None:
        """Exact matches its path alone, case and trailing slash included."""
        rule = (EXACT, "/foo")
        self.assert_found(
            [rule], {"/foo": rule, "/foo/": None, "/FOO": None, "/foo/bar": None, "/": None}
        )
        rule = (EXACT, "/foo/")
        self.assert_found([rule], {"/foo/": rule, "/foo": None, "/foo/x": None})
        rule = (EXACT, "/")
        self.assert_found([rule], {"/": rule, "/x": None})

    def test_prefix(self) -> None:
        """Prefix matches by element, with and without a trailing slash."""
        for path in ("/aaa/bb", "/aaa/bb/"):
            rule = (PREFIX, path)
            table = {"/aaa/bb": rule, "/aaa/bb/": rule, "/aaa/bb/c": rule}
            self.assert_found([rule], {**table, "/aaa/bbb": None, "/aaa": None})
        self.assert_found([(PREFIX, "/")], {"/": (PREFIX, "/"), "/a/b": (PREFIX, "/")})

    def test_partial(self) -> None:
        """ImplementationSpecific matches as a beginning of the text."""
        rule = (PARTIAL, "/foo")
        self.assert_found([rule], {"/foo": rule, "/foobar": rule, "/foo/x": rule, "/fo": None})
        rule = (PARTIAL, "/foo/")
        self.assert_found([rule], {"/foo": None, "/foo/": rule, "/foo/x": rule})
        self.assert_found([(PARTIAL, "/")], {"/": (PARTIAL, "/"), "/a": (PARTIAL, "/")})

    def test_longest(self) -> None:
        """The longest rule wins, whatever its type."""
        rules = [(PREFIX, "/a"), (PARTIAL, "/a/b"), (PREFIX, "/a/b/c"), (PARTIAL, "/a/bcd")]
        self.assert_found(
            rules,
            {
                "/a/x": rules[0],
                "/a/bx": rules[1],
                "/a/b/c/d": rules[2],
                "/a/bcde": rules[3],
                "/b": None,
            },
        )

    def test_equal_length(self) -> None:
        """Of one path, Exact goes before Prefix, and Prefix before ImplementationSpecific."""
        rules = [(PARTIAL, "/a"), (PREFIX, "/a"), (EXACT, "/a")]
        table = {"/a": rules[2], "/a/": rules[1], "/ab": rules[0]}
        self.assert_found(rules, table)
        self.assert_found(
            [(PARTIAL, "/"), (PREFIX, "/")], {"/": (PREFIX, "/"), "/x": (PREFIX, "/")}
        )

    @given(
        st.lists(
            st.tuples(
                st.sampled_from((EXACT, PREFIX, PARTIAL)),
                st.text("ab/", max_size=6).map(lambda text: _single_slashes(f"/{text}")),
            ),
            unique_by=lambda rule: (rule[0], rule[1].rstrip("/") if rule[0] == PREFIX else rule[1]),
            max_size=8,
        ),
        st.text("ab/", max_size=8).map(lambda text: _single_slashes(f"/{text}")),
    )
    def test_like_specification(self, rules: list[tuple[str, str]], path: str) -> None:
        """The walk finds what a comparison with each rule finds, and so does the slower one."""
        root = tree(*rules)
        self.assertEqual(found(root, path), slow_find(rules, path))
        candidates = [(route.path_type, route.path) for route in root.candidates(path.encode())]
        self.assertEqual(candidates[:1], [best] if (best := slow_find(rules, path)) else [])
        self.assertLessEqual(set(candidates), {rule for rule in rules if _matches(*rule, path)})

    def test_exact_and_slash(self) -> None:
        """Exact goes before a Prefix that is longer by its trailing slash alone."""
        rules = [(PREFIX, "/a/"), (EXACT, "/a")]
        self.assert_found(rules, {"/a": rules[1], "/a/": rules[0]})

    def test_many_partials(self) -> None:
        """Rules of one length at one node are told apart."""
        rules = [(PARTIAL, f"/{number:04}") for number in range(1000)]
        self.assert_found(rules, {"/0999x": (PARTIAL, "/0999"), "/1000": None})

    def test_deep(self) -> None:
        """A path of thousands of segments is built, met and forgotten without recursion."""
        path = "/a" * 16000
        root = tree((PREFIX, path))
        self.assertEqual(found(root, f"{path}/b"), (PREFIX, path))
        del root


class CandidatesTests(SynchronousTestCase):
    """Rules with conditions are tried before others of the same path, and then shorter ones."""

    def root(self, *rules: tuple[str, str, int]) -> ReverseProxyResource:
        """:param rules: path type, path, and how many conditions there are."""
        resource_tree = ResourceTree()
        for path_type, path, count in rules:
            conditions = tuple(FieldCondition(b"n", b"%d" % number) for number in range(count))
            route = Route(("default", "x"), None, path, path_type, conditions=conditions)
            self.assertIsNone(resource_tree.add(path.encode(), route))
        virtual_host = finish(resource_tree.freeze("", None))
        self.assertEqual(virtual_host.is_plain, not any(count for _, _, count in rules))
        return virtual_host.root

    def candidates(self, root: ReverseProxyResource, path: bytes) -> list[tuple[str, str, int]]:
        return [
            (route.path_type, route.path, len(route.conditions)) for route in root.candidates(path)
        ]

    def test_one_path(self) -> None:
        """At each path the most conditions come first, whatever the order of the rules."""
        for path_type in (EXACT, PREFIX, PARTIAL):
            rules = [(path_type, "/a", count) for count in (1, 0, 2)]
            root = self.root(*rules, (PREFIX, "/", 0))
            self.assertEqual(
                self.candidates(root, b"/a"),
                [
                    (path_type, "/a", 2),
                    (path_type, "/a", 1),
                    (path_type, "/a", 0),
                    (PREFIX, "/", 0),
                ],
            )

    def test_paths(self) -> None:
        """A longer path goes before a shorter one, conditions or not."""
        rules = [
            (EXACT, "/a/b", 1),
            (PREFIX, "/a/b", 0),
            (PARTIAL, "/a/b", 1),
            (PREFIX, "/a", 2),
            (PARTIAL, "/", 1),
        ]
        root = self.root(*rules)
        self.assertEqual(self.candidates(root, b"/a/b"), rules)
        self.assertEqual(self.candidates(root, b"/a/bc"), rules[2:])
        self.assertEqual(self.candidates(root, b"/a/b/c"), rules[1:])
        self.assertEqual(self.candidates(root, b"/x"), rules[-1:])

    def test_listed(self) -> None:
        """All of them are among the rules of the tree; `find` knows only plain ones."""
        root = self.root((PREFIX, "/", 1), (PREFIX, "/", 0), (EXACT, "/a", 1))
        self.assertEqual(len(list(root.routes())), 3)
        self.assertEqual(found(root, "/a"), (PREFIX, "/"))

    def test_duplicates(self) -> None:
        """Two rules of one path and the same conditions are duplicates."""
        condition = FieldCondition(b"n", b"1")
        route = Route(("default", "x"), None, "/", conditions=(condition,))
        other = Route(("default", "y"), None, "/", conditions=(condition,))
        resource_tree = ResourceTree()
        self.assertIsNone(resource_tree.add(b"/", route))
        self.assertIs(resource_tree.add(b"/", other), route)


def _single_slashes(path: str) -> str:
    while "//" in path:
        path = path.replace("//", "/")
    return path


class RoutesTests(SynchronousTestCase):
    def test_all(self) -> None:
        """Every rule is told once, that of a parent before those below it."""
        rules = [
            (PREFIX, "/"),
            (EXACT, "/"),
            (PREFIX, "/a"),
            (EXACT, "/a/b"),
            (PARTIAL, "/a/b"),
            (PARTIAL, "/a/bc"),
            (PARTIAL, "/a/c"),
            (PREFIX, "/a/b/c/"),
            (EXACT, "/d/"),
        ]
        told = [(route.path_type, route.path) for route in tree(*rules).routes()]
        self.assertEqual(sorted(told), sorted(rules))
        self.assertLess(told.index((PREFIX, "/a")), told.index((EXACT, "/a/b")))

    def test_none(self) -> None:
        """A tree without rules has none."""
        self.assertEqual(list(ReverseProxyResource().routes()), [])
