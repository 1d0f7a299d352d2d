"""
Tests for `ingress.explain.candidates`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.explain.candidates import HostKind, find_candidates, nearest_hosts
from ingress.http1.request_head import parse_request_head
from ingress.message import Request
from ingress.routing.match import find_route
from tests.support.objects import built, ingress, served

PATHS = ("/", "/a", "/a/", "=/a", "=/a/b", "~/a", "~/ab", "/A", "/a/b/c")
HOSTS = ("a.example", "*.example", "b.a.example", "")


def asked(path: str, host: str = "a.example") -> Request:
    request, _ = parse_request_head(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    return request


class CandidatesTests(SynchronousTestCase):
    """The hosts and rules that a request could have met."""

    @given(
        st.lists(st.tuples(st.sampled_from(HOSTS), st.sampled_from(PATHS)), max_size=8),
        st.sampled_from(("a.example", "x.example", "b.a.example", "other", "x.y.example")),
        st.sampled_from(("/", "/a", "/a/", "/ab", "/a/b", "/a/b/", "/A", "/x")),
        st.booleans(),
    )
    def test_same_as_serving(
        self, rules: list[tuple[str, str]], host: str, path: str, has_default: bool
    ) -> None:
        """The rule that is marked is the one that serves, whatever rules there are."""
        ingresses = [
            ingress(name, {written: "web:80"}, name=f"web{number}")
            for number, (name, written) in enumerate(rules)
        ]
        if has_default:
            ingresses.append(ingress("", {}, name="any", default="web:80"))
        snapshot = built(*ingresses, served("web")).snapshot
        request = asked(path, host)
        candidates = find_candidates(snapshot, request)
        self.assertIs(candidates.chosen, find_route(snapshot, request.host, request.path, request))
        marked = [rule.route for rule in candidates.rules if rule.is_chosen]
        self.assertEqual(marked, [] if candidates.chosen is None else [candidates.chosen])

    def test_reasons(self) -> None:
        """Each rule that does not match says why, in words."""
        snapshot = built(
            ingress("a.example", {"=/a": "web:80", "/b": "web:80", "~/c": "web:80"}), served("web")
        ).snapshot
        for path, rule, reason in (
            ("/a/", "/a", "a slash at the end makes another path of an Exact one"),
            ("/ab", "/a", "the path is another one"),
            ("/bc", "/b", "a Prefix counts whole segments"),
            ("/B/x", "/b", "upper and lower case differ"),
            ("/a/b", "/a", "Exact is not for what is below it"),
            ("/x", "/c", "the path begins otherwise"),
        ):
            found = find_candidates(snapshot, asked(path)).rules
            reasons = {each.route.path: each.reason for each in found}
            self.assertEqual(reasons[rule], reason, path)

    def test_hosts(self) -> None:
        """All that is looked for is listed: the name, the wildcard, rules without a host."""
        snapshot = built(
            ingress("*.example", {"/": "web:80"}), ingress("", {"/": "web:80"}, name="any"),
            served("web"),
        ).snapshot  # fmt: skip
        hosts = find_candidates(snapshot, asked("/")).hosts
        self.assertEqual(
            [(each.kind, each.name, each.exists, each.is_chosen) for each in hosts],
            [
                (HostKind.EXACT, "a.example", False, False),
                (HostKind.WILDCARD, "*.example", True, True),
                (HostKind.ANY, "", True, False),
            ],
        )

    def test_many_rules(self) -> None:
        """Of many rules that do not match the nearest are shown, and the others are counted."""
        paths = {f"/p{number}": "web:80" for number in range(50)}
        snapshot = built(ingress("a.example", paths), served("web")).snapshot
        candidates = find_candidates(snapshot, asked("/p49x"))
        self.assertEqual(candidates.rules[0].route.path, "/p49")
        self.assertEqual((len(candidates.rules), candidates.others), (20, 30))

    def test_nearest_hosts(self) -> None:
        """A mistyped host finds those that are like it, and no others."""
        snapshot = built(
            ingress("shop.example", {"/": "web:80"}),
            ingress("other.test", {"/": "web:80"}, name="b"),
            served("web"),
        ).snapshot
        self.assertEqual(nearest_hosts(snapshot, b"shp.example"), ["shop.example"])
        self.assertEqual(nearest_hosts(snapshot, b"nothing.like.it"), [])
