"""Tests of merging rule sets of any kind into one host."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.endpoint import UpstreamKey
from ingress.field_edits import NO_EDITS
from ingress.policy.registry import REGISTRY
from ingress.routing.build.host import MergedHost, merge_host
from ingress.routing.build.route_factory import RouteFactory
from ingress.routing.build.rule_set import Rule, RuleSet, RuleSource, WeightedBackend
from ingress.routing.condition import FieldCondition
from ingress.routing.match import find_captures, find_route
from ingress.routing.path_pattern import PathForm, PathPattern
from ingress.routing.snapshot import Snapshot
from ingress.steps import finish
from ingress.testing import policy_context

HOST = "a.example"
FACTORY = RouteFactory(REGISTRY, NO_EDITS, "auto")
NEW = FieldCondition(b"x-version", b"new")


def rule(path: str, *conditions: FieldCondition, is_pattern: bool = False) -> Rule:
    form = PathForm.REGULAR_EXPRESSION
    return Rule(
        path=path.encode(),
        path_type="ImplementationSpecific" if is_pattern else "Prefix",
        written=path,
        backends=(WeightedBackend(UpstreamKey("default", "web", "80")),),
        field="spec.rules[0]",
        conditions=conditions,
        pattern=PathPattern(form, path.encode(), ignores_case=True) if is_pattern else None,
    )


def rules(name: str, *items: Rule, kind: str = "HTTPRoute", day: int = 1) -> RuleSet:
    return RuleSet(
        source=RuleSource(kind, "default", name),
        age=(False, datetime(2026, 1, day, tzinfo=UTC), f"default/{name}"),
        hosts={HOST: items},
        has_patterns=any(item.pattern is not None for item in items),
    )


def merged(*sets: RuleSet) -> MergedHost:
    return finish(merge_host(HOST, sets, FACTORY))


def found(result: MergedHost, path: bytes, version: bytes = b"old") -> str | None:
    """The object whose rule a request meets, and the captures of its path."""
    assert result.virtual_host is not None
    snapshot = Snapshot(Config(), hosts={HOST.encode(): result.virtual_host})
    request = policy_context(fields=((b"X-Version", version),)).request
    route = find_route(snapshot, HOST.encode(), path, request)
    if route is None:
        return None
    captures = find_captures(route, path)
    return " ".join((route.ingress[1], *(part.decode() for part in captures if part)))


class MergeHostTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """Without conditions and patterns a host is a plain tree."""
        result = merged(rules("a", rule("/a")), rules("b", rule("/")))
        assert result.virtual_host is not None
        self.assertTrue(result.virtual_host.is_plain)
        self.assertEqual(found(result, b"/a/x"), "a")
        self.assertEqual(found(result, b"/x"), "b")

    def test_conditions(self) -> None:
        """A rule with conditions goes before one without; the request decides."""
        result = merged(rules("plain", rule("/a")), rules("new", rule("/a", NEW)))
        self.assertEqual(result.problems, {})
        self.assertEqual(found(result, b"/a", b"new"), "new")
        self.assertEqual(found(result, b"/a"), "plain")

    def test_only_conditions(self) -> None:
        """A request that meets no condition falls to a shorter path, or gets nothing."""
        result = merged(rules("new", rule("/a", NEW)), rules("root", rule("/")))
        self.assertEqual(found(result, b"/a", b"new"), "new")
        self.assertEqual(found(result, b"/a"), "root")
        self.assertIsNone(found(merged(rules("new", rule("/a", NEW))), b"/a"))

    def test_patterns(self) -> None:
        """Where one rule is a regular expression, the host is an ordered list with captures."""
        result = merged(
            rules("plain", rule("/something/else")),
            rules("pattern", rule("/something(/|$)(.*)", is_pattern=True)),
        )
        assert result.virtual_host is not None
        self.assertEqual(len(result.virtual_host.patterns), 2)
        self.assertEqual(found(result, b"/something/new"), "pattern / new")
        self.assertEqual(found(result, b"/something/else"), "pattern / else")

    def test_duplicates(self) -> None:
        """The older of two equal rules wins, and the Problem names the kind of the winner."""
        result = merged(rules("old", rule("/a"), kind="Ingress"), rules("new", rule("/a"), day=2))
        self.assertEqual(found(result, b"/a"), "old")
        ((key, (problem,)),) = result.problems.items()
        self.assertEqual(key, ("HTTPRoute", "default", "new"))
        self.assertEqual(problem.kind, "HTTPRoute")
        self.assertIn("Ingress default/old, which goes first", problem.message)
