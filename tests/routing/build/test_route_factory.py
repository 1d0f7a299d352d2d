"""Tests of how a rule of the neutral model becomes a Route, whatever object it comes from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import UpstreamKey
from ingress.field_edits import FieldEdits, ResponseEdits
from ingress.policy.load_balance import Algorithm, LoadBalance
from ingress.policy.policy import Policy
from ingress.policy.refusal import Refusal
from ingress.policy.registry import FEATURES, Registry
from ingress.policy.traffic_split import Share, TrafficSplit
from ingress.routing.build.route_factory import NamespaceOnHost, RouteFactory
from ingress.routing.build.rule_set import Rule, RuleSource, WeightedBackend
from ingress.routing.condition import FieldCondition
from ingress.routing.route import Route

HSTS = FieldEdits(replace=((b"Strict-Transport-Security", b"max-age=1"),))
SOURCE = RuleSource("HTTPRoute", "shop", "web")
WEB, NEW = (UpstreamKey("shop", name, "80") for name in ("web", "new"))
RULE = Rule(b"/a", "Prefix", "/a", (WeightedBackend(WEB),), "spec.rules[0]")
ON_HOST = NamespaceOnHost("a.example", frozenset(), {})


@dataclass(frozen=True, slots=True)
class Stamp(Policy):
    """Sets a field of every response."""

    name: ClassVar[str] = "stamp"

    value: bytes = b"1"

    @property
    def response_edits(self) -> FieldEdits:
        """Policy."""
        return FieldEdits(replace=((b"X-Stamp", self.value),))


FACTORY = RouteFactory(Registry((*FEATURES, Stamp)), HSTS, "auto")


def route(rule: Rule, on_host: NamespaceOnHost = ON_HOST) -> Route:
    return FACTORY.route(SOURCE, rule, on_host)


class RouteFactoryTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """A rule without features is a Route with the defaults of each field."""
        expected = Route(("shop", "web"), WEB, "/a", "Prefix", "a.example")
        self.assertEqual(route(RULE), expected)

    def test_features(self) -> None:
        """Policies and settings are those of the rule, and each is where it belongs."""
        balance = LoadBalance(Algorithm.EWMA)
        made = route(RULE._replace(features={"load_balance": balance, "stamp": Stamp()}))
        self.assertEqual((made.load_balance, made.policies), (balance, (Stamp(),)))
        stamp = FieldEdits(replace=((b"X-Stamp", b"1"),))
        self.assertEqual(made.response_edits, ResponseEdits(stamp, HSTS.then(stamp)))

    def test_of_namespace(self) -> None:
        """What holds for the whole host in a namespace is added, and goes first."""
        on_host = ON_HOST._replace(features={"stamp": Stamp(b"2")})
        self.assertEqual(route(RULE, on_host).policies, (Stamp(b"2"),))
        own = RULE._replace(features={"stamp": Stamp(b"1")})
        self.assertEqual(route(own, on_host).policies, (Stamp(b"2"),))

    def test_refusal(self) -> None:
        """A closed rule has no other policy: none would ever be asked."""
        features = {"refusal": Refusal(), "stamp": Stamp()}
        self.assertEqual(route(RULE._replace(features=features)).policies, (Refusal(),))

    def test_weights(self) -> None:
        """Several backends share the requests; the heaviest names the Route's Upstream."""
        backends = (WeightedBackend(WEB, 1), WeightedBackend(NEW, 9), WeightedBackend(None, 5))
        made = route(RULE._replace(backends=backends))
        self.assertEqual(made.upstream, NEW)
        self.assertEqual(made.policies, (TrafficSplit((Share(NEW, 9), Share(WEB, 1))),))

    def test_no_weight(self) -> None:
        """A backend of weight 0 gets nothing; without any other, the rule leads nowhere."""
        backends = (WeightedBackend(WEB, 0), WeightedBackend(NEW, 1))
        made = route(RULE._replace(backends=backends))
        self.assertEqual((made.upstream, made.policies), (NEW, ()))
        self.assertIsNone(route(RULE._replace(backends=(WeightedBackend(WEB, 0),))).upstream)

    def test_conditions(self) -> None:
        """Conditions of the rule are those of the Route."""
        conditions = (FieldCondition(b"x-version", b"2"),)
        made = route(RULE._replace(conditions=conditions))
        self.assertEqual(made, replace(route(RULE), conditions=conditions))
