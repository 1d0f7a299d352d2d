"""
The default backend of the configuration, as rules and as a Route; and the rules of all that the
configuration lists.

It serves what no rule matches, on known hosts and on others, so it has no host of its own.
"""

from __future__ import annotations

from typing import Final

from ingress.config import Config
from ingress.endpoint import UpstreamKey
from ingress.kube.objects import ObjectKey
from ingress.policy.registry import Features
from ingress.routing.build.age import Age, comparable_time
from ingress.routing.build.port_rules import with_listed_ports
from ingress.routing.build.route_factory import NamespaceOnHost, RouteFactory
from ingress.routing.build.rule_set import Rule, RuleSet, RuleSource, WeightedBackend
from ingress.routing.route import Route

CONFIGURATION: Final[ObjectKey] = ("", "", "")
"""The key of these rules: no object has them."""

FIELD: Final = "default-backend"

_SOURCE: Final = RuleSource(*CONFIGURATION)
_AGE: Final[Age] = (True, comparable_time(None), "")


def default_upstream(config: Config) -> UpstreamKey | None:
    """:return: the Service port of the default backend; None if there is none."""
    return UpstreamKey(*config.default_backend) if config.default_backend is not None else None


def default_rules(config: Config) -> RuleSet | None:
    """:return: rules that have no host, and name the Service ports; None if there are none."""
    key = default_upstream(config)
    if key is None and not config.port_services.listed:
        return None
    rules = RuleSet(_SOURCE, _AGE, upstreams={key: FIELD} if key is not None else {})
    return with_listed_ports(rules, config)


def default_route(config: Config, features: Features, factory: RouteFactory) -> Route | None:
    """
    :param features: those of objects without annotations.
    :return: the Route of requests that no rule matches; None without a default backend.
    """
    key = default_upstream(config)
    if key is None:
        return None
    rule = Rule(b"/", "Prefix", "/", (WeightedBackend(key),), FIELD, features)
    return factory.route(_SOURCE, rule, NamespaceOnHost("", frozenset(), {}))
