"""
One rule to the Route that requests get.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from ingress.config import PathSetting
from ingress.field_edits import FieldEdits
from ingress.policy.feature import RouteFeature, Setting
from ingress.policy.policy import Policy
from ingress.policy.refusal import Refusal
from ingress.policy.registry import Features, Registry
from ingress.policy.scope import RuleScope
from ingress.policy.traffic_split import Share, TrafficSplit
from ingress.routing.build.rule_set import Rule, RuleSource
from ingress.routing.path_handling import path_handling
from ingress.routing.route import Route

_REFUSAL: Final = Refusal.key()


class NamespaceOnHost(NamedTuple):
    """What the objects of one namespace ask for on one host, together."""

    host: str

    https_hosts: frozenset[bytes] | None
    """As `RuleScope.https_hosts`."""

    features: Mapping[str, RouteFeature]
    """Features that hold for all of its rules there."""

    is_guarded: bool = False
    """Whether some rule of the host, of any namespace, decides who gets access."""


class RouteFactory:
    """
    Makes the Routes of one build.

    :param hsts: changes to every response over https.
    :param paths: how unusual paths go upstream.
    """

    def __init__(self, registry: Registry, hsts: FieldEdits, paths: PathSetting) -> None:
        self._registry = registry
        self._hsts = hsts
        self._paths = paths

    def __repr__(self) -> str:
        return f"<RouteFactory of {self._registry}>"

    def route(self, source: RuleSource, rule: Rule, namespace: NamespaceOnHost) -> Route:
        """
        :param source: the object that has the rule.
        :param namespace: of that object, on the host that the Route is for.
        """
        features = rule.features
        if namespace.features:
            # What holds for the whole host was decided by the oldest object that asks for it.
            features = self._registry.in_order({**features, **namespace.features})
        shares = _shares(rule)
        upstream = shares[0].upstream if shares else None
        scope = RuleScope(
            source.namespace,
            source.name,
            namespace.host,
            rule.written,
            rule.path_type,
            upstream,
            namespace.https_hosts,
            rule.pattern is not None,
        )
        policies, settings = _adapted(features, scope)
        if len(shares) > 1:
            policies += (TrafficSplit(shares),)
        route = Route(
            ingress=(source.namespace, source.name),
            upstream=upstream,
            path=rule.written,
            path_type=rule.path_type,
            host=namespace.host,
            policies=policies,
            pattern=rule.pattern,
            conditions=rule.conditions,
            paths=path_handling(self._paths, is_guarded=namespace.is_guarded),
            **settings,
        )
        edits = route.response_edits_with(self._hsts) if policies else None
        return route if edits is None else replace(route, response_edits=edits)


def _shares(rule: Rule) -> tuple[Share, ...]:
    """The Service ports that get requests of a rule, the heaviest first."""
    shares = [
        Share(backend.upstream, backend.weight)
        for backend in rule.backends
        if backend.upstream is not None and backend.weight > 0
    ]
    if len(shares) > 1:
        shares.sort(key=lambda share: share.weight, reverse=True)
    return tuple(shares)


def _adapted(features: Features, scope: RuleScope) -> tuple[tuple[Policy, ...], dict[str, Any]]:
    """:return: the policies of a rule in their order, and its settings by field of the Route."""
    policies: list[Policy] = []
    settings: dict[str, Any] = {}
    refusal = features.get(_REFUSAL)
    for feature in features.values():
        adapted = feature.at(scope)
        if isinstance(adapted, Policy):
            # A refusal answers every request: no other policy is ever asked.
            if refusal is None or feature is refusal:
                policies.append(adapted)
        elif isinstance(adapted, Setting):
            settings[adapted.route_field] = adapted
    return tuple(policies), settings
