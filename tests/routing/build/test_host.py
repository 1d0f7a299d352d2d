"""Tests of merging rule sets of any kind into one host."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.endpoint import UpstreamKey
from ingress.field_edits import NO_EDITS
from ingress.kube.objects import Ingress, Secret
from ingress.policy.registry import REGISTRY
from ingress.routing.build import Built
from ingress.routing.build.host import MergedHost, merge_host
from ingress.routing.build.route_factory import RouteFactory
from ingress.routing.build.rule_set import Rule, RuleSet, RuleSource, WeightedBackend
from ingress.routing.condition import FieldCondition
from ingress.routing.match import find_captures, find_route
from ingress.routing.path_pattern import PathForm, PathPattern
from ingress.routing.snapshot import Snapshot
from ingress.steps import finish
from ingress.testing import policy_context
from tests.support.certs import CertificateAuthority
from tests.support.objects import built, ingress, metadata, problems_of, served

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


CA, OTHER_CA = CertificateAuthority("One"), CertificateAuthority("Other")


class SlashTests(SynchronousTestCase):
    def test_other_namespace(self) -> None:
        """A slash at the end takes nothing from below the older path of another namespace."""
        for path, namespace, created, expected in (
            ("~/admin/", "other", "2026-01-02", "default"),
            ("~/", "other", "2026-01-02", "default"),
            ("~/admin/", "other", "2025-12-31", "other"),
            ("~/admin/x", "other", "2026-01-02", "other"),
            ("~/admin/", "default", "2026-01-02", "default"),
        ):
            result = built(
                ingress(HOST, {"/admin": "web:80"}, name="first", created="2026-01-01"),
                ingress(HOST, {path: "web:80"}, name=f"{namespace}/second", created=created),
                *served("web"),
                *served("other/web"),
            )
            route = find_route(result.snapshot, HOST.encode(), b"/admin/x")
            assert route is not None
            self.assertEqual(route.ingress[0], expected, (path, created))
            is_lost = path == "~/admin/" and namespace == "other" and expected == "default"
            told = "".join(problems_of(result, f"{namespace}/second"))
            self.assertEqual("goes first by age and name" in told, is_lost, told)


class ClientTrustTests(SynchronousTestCase):
    """Who decides whose certificates the handshakes of a host ask for."""

    def build(self, *asking: tuple[str, str, int]) -> Built:
        """:param asking: name, Secret and day of Ingresses for the same host; no Secret for none."""
        items: list[Ingress | Secret] = [
            Secret(metadata=metadata(name), data={"ca.crt": authority.root_pem})
            for name, authority in (("one", CA), ("two", OTHER_CA), ("shop/one", CA))
        ]
        for name, secret, day in asking:
            annotations = {"auth-tls-secret": secret} if secret else {}
            path = f"/{name.rpartition('/')[2]}"
            items.append(
                ingress(
                    HOST,
                    {path: "web:80"},
                    name=name,
                    annotations=annotations,
                    created=f"2026-01-{day:02d}",
                )
            )
        return built(*items, *served("web"))

    def policies(self, result: Built, path: bytes) -> list[str]:
        route = find_route(result.snapshot, HOST.encode(), path)
        assert route is not None
        return [policy.label for policy in route.policies]

    def trust(self, result: Built) -> bytes | None:
        trust = result.snapshot.hosts[HOST.encode()].client_trust
        return None if trust is None else trust.ca_pem

    def test_host_wide(self) -> None:
        """One Ingress decides for all paths of its namespace, also for those of older ones."""
        result = self.build(("old", "", 1), ("asking", "default/one", 2))
        self.assertEqual(self.trust(result), CA.root_pem)
        for path in (b"/old", b"/asking"):
            self.assertEqual(self.policies(result, path), ["client-certificates"])

    def test_older(self) -> None:
        """Of two that ask for something else the older one decides, which the other is told."""
        for first, second, expected in ((1, 2, CA), (2, 1, OTHER_CA)):
            result = self.build(("a", "default/one", first), ("b", "default/two", second))
            self.assertEqual(self.trust(result), expected.root_pem)
            policies = [find_route(result.snapshot, HOST.encode(), path) for path in (b"/a", b"/b")]
            assert policies[0] is not None
            assert policies[1] is not None
            self.assertEqual(policies[0].policies, policies[1].policies)
            (problem,) = problems_of(result, "b" if first == 1 else "a")
            self.assertIn("an older Ingress of this namespace asks for something else", problem)

    def test_older_and_open(self) -> None:
        """What an older one would let in although this one keeps it out closes the paths."""
        secret = Secret(metadata=metadata("one"), data={"ca.crt": CA.root_pem})
        name = {"auth-tls-match-cn": "CN=alice"}
        for older, younger, is_closed in (
            ({"auth-tls-verify-client": "off"}, {}, True),
            ({"auth-tls-verify-client": "optional"}, {}, True),
            ({}, name, True),
            ({"auth-tls-match-cn": "CN=bob"}, name, True),
            (name, {}, False),
            ({}, {"auth-tls-verify-client": "optional"}, False),
            ({}, {"auth-tls-verify-client": "off"}, False),
        ):
            items = [
                ingress(
                    HOST,
                    {f"/{which}": "web:80"},
                    name=which,
                    annotations={"auth-tls-secret": "default/one", **annotations},
                    created=created,
                )
                for which, annotations, created in (
                    ("older", older, "2026-01-01"),
                    ("younger", younger, "2026-01-02"),
                )
            ]
            result = built(*items, secret, *served("web"))
            self.assertEqual(self.policies(result, b"/older"), ["client-certificates"])
            expected = "refusal" if is_closed else "client-certificates"
            self.assertEqual(self.policies(result, b"/younger"), [expected], (older, younger))
            (problem,) = problems_of(result, "younger")
            self.assertEqual("answer 503" in problem, is_closed)

    def test_other_namespace(self) -> None:
        """A namespace that does not own the host closes its own paths, and no others."""
        result = self.build(("own", "", 1), ("shop/asking", "shop/one", 2), ("shop/other", "", 3))
        self.assertIsNone(self.trust(result))
        self.assertEqual(self.policies(result, b"/own"), [])
        self.assertEqual(self.policies(result, b"/asking"), ["refusal"])
        self.assertEqual(self.policies(result, b"/other"), [])
        told = "".join(problems_of(result, "shop/asking"))
        self.assertIn("only the paths of this Ingress answer 503", told)

    def test_owner(self) -> None:
        """The namespace that owns the host decides, and reaches no paths of others."""
        result = self.build(("own", "default/one", 1), ("shop/guest", "", 2))
        self.assertEqual(self.trust(result), CA.root_pem)
        self.assertEqual(self.policies(result, b"/guest"), [])

    def test_fault(self) -> None:
        """A fault closes all paths of the namespace, whoever else asks."""
        for secret in ("default/missing", "one", "shop/one"):
            result = self.build(("a", "default/one", 1), ("b", secret, 2))
            for path in (b"/a", b"/b"):
                self.assertEqual(self.policies(result, path), ["refusal"], secret)
