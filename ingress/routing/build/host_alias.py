"""
Hosts that are further names of other hosts.

An alias has the rules that the namespace of its object has on the other host, those of all its
objects: an alias without the rules that guard some of the paths would be a way around them.

Source of the rules: docs/compatibility.md, sections 2.2 and 6, "server-alias".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

from ingress.kube.objects import ObjectKey
from ingress.policy.annotation import PREFIX
from ingress.policy.feature import RouteFeature
from ingress.policy.registry import Features
from ingress.problem import Problem
from ingress.problem_code import Code
from ingress.routing.build.host import MergedHost, ProblemsByObject, merge_host
from ingress.routing.build.host_canaries import CanariesOfHost
from ingress.routing.build.host_owner import belongs_to
from ingress.routing.build.route_factory import RouteFactory
from ingress.routing.build.rule_set import Rule, RuleSet, WeightedBackend
from ingress.steps import Steps

_FIELDS: Final = {
    False: f"metadata.annotations[{PREFIX}server-alias]",
    True: f"metadata.annotations[{PREFIX}from-to-www-redirect]",
}
"""By whether the alias is a name from which requests are redirected."""


def aliases_of(features: Features, hosts: Collection[str]) -> dict[str, str]:
    """
    :param features: what an object asks for.
    :param hosts: those that it has rules for, in order.
    :return: by alias, the host that it stands for: the first one that has a name, or the one to
        which requests are redirected.
    """
    names = [name for feature in features.values() for name in feature.aliases]
    first = next(filter(None, hosts), "") if names else ""
    found = {name: first for name in names if name not in hosts} if first else {}
    for feature in features.values():
        if type(feature).other_name is not RouteFeature.other_name:
            for host in hosts:
                other = feature.other_name(host)
                if other is not None and other.host not in hosts:
                    found.setdefault(other.host, host)
    return found


class AliasedHost:
    """
    An alias, and what those who want it have on the host that it stands for.

    :param alias: in lower case, a wildcard as ``*.example.com``.
    :param wanted: the objects that want it, the oldest first; at least one.
    """

    def __init__(self, alias: str, wanted: Sequence[RuleSet]) -> None:
        self.alias = alias
        self.winner = wanted[0]
        self.host = self.winner.aliases[alias]
        """The host that it stands for."""

        self._wanted = wanted

    def __repr__(self) -> str:
        return f"<AliasedHost {self.alias} of {self.host}>"

    def merge(
        self,
        sets: Iterable[RuleSet],
        canaries: Iterable[RuleSet],
        factory: RouteFactory,
        owner: RuleSet | None,
    ) -> Steps[MergedHost]:
        """
        :param sets: the rules of the objects that have any for `host`, the oldest first.
        :param canaries: the canaries that want requests of `host`.
        :param owner: the object whose namespace alone may have rules for the alias; None for all.
        """
        namespace = self.winner.source.namespace
        if owner is not None and owner.source.namespace != namespace:
            message = f"{belongs_to(owner, self.alias)}; the alias is not served"
            return MergedHost(None, self._problems(self._wanted, message))
        redirect = self._redirect()
        if redirect is not None:
            merged = yield from merge_host(self.alias, [redirect], factory)
            return MergedHost(merged.virtual_host, self._lost())
        own = [self._renamed(item) for item in sets if item.source.namespace == namespace]
        beside = CanariesOfHost(
            self.host, (item for item in canaries if item.source.namespace == namespace)
        )
        merged = yield from merge_host(self.alias, own, factory, None, beside)
        # What is wrong with the rules is reported where they are.
        return MergedHost(merged.virtual_host, self._lost())

    def refused(self) -> ProblemsByObject:
        """:return: the Problems where rules have the alias as their host."""
        message = "a rule has this host, so that it is no other name for one"
        return self._problems(self._wanted, message)

    def _renamed(self, item: RuleSet) -> RuleSet:
        is_pattern = self.host in item.pattern_hosts
        return replace(
            item,
            hosts={self.alias: item.hosts[self.host]},
            pattern_hosts=frozenset({self.alias}) if is_pattern else frozenset(),
        )

    def _redirect(self) -> RuleSet | None:
        """The rules of a name from which all requests are redirected."""
        for feature in self.winner.host_wide.values():
            other = feature.other_name(self.host)
            if other is not None and other.host == self.alias:
                features = {feature.key(): other.feature}
                backends = (WeightedBackend(None),)
                rule = Rule(b"/", "Prefix", "/", backends, _FIELDS[True], features)
                winner = self.winner
                return RuleSet(winner.source, winner.age, hosts={self.alias: (rule,)})
        return None

    def _lost(self) -> ProblemsByObject:
        others = [
            item
            for item in self._wanted[1:]
            if item.aliases[self.alias] != self.host
            or item.source.namespace != self.winner.source.namespace
        ]
        source = self.winner.source
        message = (
            f"{source.kind} {source.namespace}/{source.name}, which goes first by age and name, "
            "has this alias; that one is served"
        )
        return self._problems(others, message)

    def _problems(self, items: Iterable[RuleSet], message: str) -> ProblemsByObject:
        found: dict[ObjectKey, tuple[Problem, ...]] = {}
        for item in items:
            others = (each.other_name(item.aliases[self.alias]) for each in item.host_wide.values())
            is_redirect = any(other is not None and other.host == self.alias for other in others)
            field = _FIELDS[is_redirect]
            found[item.key] = (item.problem(Code.HOST_TAKEN, field, message, self.alias),)
        return found


def with_problems(merged: MergedHost, more: ProblemsByObject) -> MergedHost:
    """:return: the same with further Problems."""
    problems = dict(merged.problems)
    for key, found in more.items():
        problems[key] = (*problems.get(key, ()), *found)
    return MergedHost(merged.virtual_host, problems)
