"""Tests of `ingress.routing.build.host_canaries`: canaries beside the rules of others."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.objects import Ingress, KubeObject
from ingress.routing.build import Built
from ingress.routing.route import Route
from tests.support.objects import built, ingress, problems_of, served

SERVICES = (*served("web"), *served("new"), *served("newer"))
TEN = {"canary-weight": "10"}


def main(host: str = "a.example", **settings: object) -> Ingress:
    return ingress(host, {"/": "web:80"}, **settings)  # type: ignore[arg-type]


def canary(
    host: str = "a.example",
    paths: Mapping[str, str] | None = None,
    *,
    name: str = "canary",
    annotations: Mapping[str, str] = TEN,
    **settings: object,
) -> Ingress:
    paths = {"/": "new:80"} if paths is None else paths
    return ingress(
        host,
        paths,
        name=name,
        annotations={"canary": "true", **annotations},
        **settings,  # type: ignore[arg-type]
    )


def canaries_of(result: Built, path: bytes = b"/", host: bytes = b"a.example") -> dict[str, float]:
    """The shares of the canaries of a rule by their Service."""
    route = result.snapshot.hosts[host].route(path)
    assert route is not None
    return {
        _service(each): each.canary_rule.share for each in route.canary_routes if each.canary_rule
    }


def _service(route: Route) -> str:
    assert route.upstream is not None
    return route.upstream.service


class AttachedTests(SynchronousTestCase):
    def test_any_order(self) -> None:
        """Whichever comes first, a canary gets its share of the rule, also build by build."""
        items: tuple[KubeObject, ...] = (
            main(created="2022-01-01"),
            canary(created="2021-01-01"),
            canary(
                paths={"/": "newer:80"},
                name="other",
                annotations={"canary-weight": "20"},
                created="2023-01-01",
            ),
        )
        for order in permutations(items):
            result: Built | None = None
            for count in range(1, 4):
                result = built(*SERVICES, *order[:count], previous=result)
            assert result is not None
            self.assertEqual(canaries_of(result), {"new": 0.1, "newer": 0.2})
            self.assertEqual(list(result.all_problems()), [])

    def test_gone(self) -> None:
        """A canary that is gone, or is one no more, gets nothing."""
        before = built(*SERVICES, main(), canary())
        after = built(*SERVICES, main(), previous=before)
        self.assertEqual(canaries_of(after), {})
        plain = ingress("b.example", {"/": "new:80"}, name="canary")
        after = built(*SERVICES, main(), plain, previous=before)
        self.assertEqual(canaries_of(after), {})
        self.assertIn(b"b.example", after.snapshot.hosts)

    def test_alone(self) -> None:
        """Without the rule there is no host, and no catch-all; its Problem goes with the rule."""
        alone = built(
            *SERVICES, canary(), canary("", {"/": "new:80"}, name="all", default="new:80")
        )
        self.assertEqual((dict(alone.snapshot.hosts), alone.snapshot.any_host), ({}, None))
        self.assertEqual(len(problems_of(alone, "canary")), 1)
        self.assertEqual(len(problems_of(alone, "all")), 2)
        together = built(*SERVICES, canary(), main(), previous=alone)
        self.assertEqual(problems_of(together, "canary"), [])
        self.assertEqual(canaries_of(together), {"new": 0.1})

    def test_other_rule(self) -> None:
        """Host, path, path type and namespace have to be the same."""
        for other in (
            canary("b.example"),
            canary(paths={"/a": "new:80"}),
            canary(paths={"=/": "new:80"}),
            canary(name="other/canary"),
        ):
            result = built(*SERVICES, main(), other)
            self.assertEqual(canaries_of(result), {})
            faults = [str(problem) for problem in result.all_problems() if problem.name == "canary"]
            self.assertIn("that is served has", "".join(faults))

    def test_lost_rule(self) -> None:
        """A rule that another namespace has taken brings its canary nothing."""
        result = built(
            *SERVICES,
            main(created="2022-01-01"),
            ingress("a.example", {"/": "x:80"}, name="other/web", created="2021-01-01"),
            canary(created="2020-01-01"),
        )
        self.assertEqual(canaries_of(result), {})
        (problem,) = problems_of(result, "canary")
        self.assertIn("no rule of namespace default that is served", problem)

    def test_default_backend(self) -> None:
        """A default backend of a canary belongs to that of the rule's Ingress."""
        result = built(
            *SERVICES,
            ingress("a.example", {"/a": "web:80"}, default="web:80"),
            canary(paths={"/a": "new:80"}, default="newer:80"),
        )
        self.assertEqual(canaries_of(result, b"/a"), {"new": 0.1})
        self.assertEqual(canaries_of(result, b"/b"), {"newer": 0.1})
        host = built(
            *SERVICES, ingress("", {}, default="web:80"), canary("", {}, default="new:80")
        ).snapshot.any_host
        assert host is not None
        assert host.default is not None
        self.assertEqual([*map(_service, host.default.canary_routes)], ["new"])

    def test_wildcard(self) -> None:
        """A canary of a wildcard belongs to the rule of that wildcard."""
        result = built(*SERVICES, main("*.example.com"), canary("*.example.com"))
        route = result.snapshot.wildcard_hosts[b"example.com"].route(b"/")
        assert route is not None
        self.assertEqual([*map(_service, route.canary_routes)], ["new"])

    def test_alias(self) -> None:
        """The alias of a host has its canaries, whichever comes first."""
        aliased = main(annotations={"server-alias": "alias.example"})
        before = built(*SERVICES, aliased)
        self.assertEqual(canaries_of(before, host=b"alias.example"), {})
        for result in (
            built(*SERVICES, aliased, canary(), previous=before),
            built(*SERVICES, aliased, canary(), previous=built(*SERVICES, canary())),
        ):
            self.assertEqual(canaries_of(result, host=b"alias.example"), {"new": 0.1})
            self.assertEqual(problems_of(result, "canary"), [])
        gone = built(*SERVICES, aliased, previous=result)
        self.assertEqual(canaries_of(gone, host=b"alias.example"), {})

    def test_written_otherwise(self) -> None:
        """Hosts have no case; a path is the same if it is written in the same way."""
        result = built(*SERVICES, main("A.example"), canary("a.Example"))
        self.assertEqual(canaries_of(result), {"new": 0.1})


class WeightTests(SynchronousTestCase):
    def with_weights(self, *weights: tuple[str, str]) -> Built:
        """:param weights: weight and total of a canary each, the oldest first."""
        return built(
            *SERVICES,
            main(),
            *(
                canary(
                    paths={"/": f"{service}:80"},
                    name=service,
                    annotations={"canary-weight": weight, "canary-weight-total": total},
                    created=f"20{20 + number}-01-01",
                )
                for number, (service, (weight, total)) in enumerate(
                    zip(("new", "newer", "newest"), weights, strict=False)
                )
            ),
        )

    def test_sum(self) -> None:
        """Weights of different totals add up."""
        result = self.with_weights(("50", "100"), ("500", "1000"))
        self.assertEqual(canaries_of(result), {"new": 0.5, "newer": 0.5})
        self.assertEqual(problems_of(result, "newer"), [])

    def test_too_much(self) -> None:
        """Where they exceed the whole, the youngest get less, and say so."""
        result = self.with_weights(("80", "100"), ("30", "100"), ("1", "100"))
        self.assertEqual(canaries_of(result), {"new": 0.8, "newer": 0.2, "newest": 0.0})
        self.assertEqual(problems_of(result, "new"), [])
        for name, share in (("newer", "20%"), ("newest", "0%")):
            found = [each for each in problems_of(result, name) if "together" in each]
            self.assertEqual([f"gets {share}" in each for each in found], [True])


class FaultTests(SynchronousTestCase):
    def test_same_service(self) -> None:
        """The Service of the rule itself is no canary."""
        result = built(*SERVICES, main(), canary(paths={"/": "web:80"}))
        self.assertEqual(canaries_of(result), {})
        self.assertIn("the rule itself leads to web:80", *problems_of(result, "canary"))

    def test_no_service(self) -> None:
        """A rule without endpoints still has its canary; a canary without them is reported."""
        result = built(main(), canary())
        self.assertEqual(canaries_of(result), {"new": 0.1})
        self.assertEqual(len(problems_of(result, "canary")), 1)

    def test_access(self) -> None:
        """A canary that wants to be guarded gets nothing of a rule that guards nothing."""
        guard = {"allowlist-source-range": "192.0.2.0/24"}
        result = built(*SERVICES, main(), canary(annotations={**TEN, **guard}))
        self.assertEqual(canaries_of(result), {})
        self.assertIn("the rule itself guards nothing", problems_of(result, "canary")[-1])
        both = built(*SERVICES, main(annotations=guard), canary(annotations={**TEN, **guard}))
        self.assertEqual(canaries_of(both), {"new": 0.1})

    def test_rules_hold(self) -> None:
        """What the Ingress of the rule asks for holds for the canary, and nothing of its own."""
        result = built(
            *SERVICES,
            main(annotations={"proxy-read-timeout": "7", "upstream-vhost": "x.example"}),
            canary(annotations={**TEN, "proxy-read-timeout": "9", "load-balance": "ewma"}),
        )
        route = result.snapshot.hosts[b"a.example"].route(b"/")
        assert route is not None
        (other,) = route.canary_routes
        self.assertEqual((other.proxy, other.policies), (route.proxy, route.policies))
        self.assertEqual((other.load_balance.algorithm, other.proxy.read_timeout), ("ewma", 7))
        self.assertIn("proxy-read-timeout", *problems_of(result, "canary"))

    def test_affinity(self) -> None:
        """Its own affinity has an effect with ``legacy`` only."""
        own = {"affinity": "cookie", "session-cookie-name": "own"}
        for behavior, cookie, problems in (("sticky", "INGRESSCOOKIE", 1), ("legacy", "own", 0)):
            annotations = {**TEN, **own, "affinity-canary-behavior": behavior}
            result = built(
                *SERVICES,
                main(annotations={"affinity": "cookie"}),
                canary(annotations=annotations),
            )
            route = result.snapshot.hosts[b"a.example"].route(b"/")
            assert route is not None
            (other,) = route.canary_routes
            assert other.affinity is not None
            self.assertEqual(other.affinity.name, cookie)
            self.assertEqual(len(problems_of(result, "canary")), problems)

    def test_adapted(self) -> None:
        """The cookie and the hash of a canary are adapted to the rule and to its own Service."""
        result = built(
            *SERVICES,
            ingress("a.example", {"/app": "web:80"}),
            canary(
                paths={"/app": "new:80"},
                annotations={
                    **TEN,
                    "affinity": "cookie",
                    "affinity-canary-behavior": "legacy",
                    "upstream-hash-by": "$service_name",
                },
            ),
        )
        route = result.snapshot.hosts[b"a.example"].route(b"/app")
        assert route is not None
        (other,) = route.canary_routes
        assert other.affinity is not None
        self.assertEqual(other.affinity.path, "/app")
        assert other.load_balance.hash_key is not None
        self.assertEqual(other.load_balance.hash_key.text.constant, b"new")

    def test_refused_rule(self) -> None:
        """A rule that is closed is closed for its canary, too."""
        result = built(*SERVICES, main(annotations={"auth-type": "nonsense"}), canary())
        route = result.snapshot.hosts[b"a.example"].route(b"/")
        assert route is not None
        for each in (route, *route.canary_routes):
            self.assertEqual([policy.name for policy in each.policies], ["refusal"])
