"""
Merges the rules that several objects have for one host into a VirtualHost.

If two objects have the same rule, the older one wins, and the other gets a Problem
(docs/compatibility.md, section 5, "Ties"). No namespace changes the rules of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from ingress.client_session import ClientTrust
from ingress.frozen import dataclass
from ingress.kube.objects import ObjectKey
from ingress.policy.feature import RouteFeature
from ingress.policy.refusal import Refusal
from ingress.policy.registry import Features
from ingress.policy.scope import HostScope
from ingress.policy.ssl_passthrough import SSLPassthrough
from ingress.problem import Problem, shown
from ingress.problem_code import Code
from ingress.routing.build.canary_set import DEFAULT
from ingress.routing.build.host_canaries import CanariesOfHost
from ingress.routing.build.host_owner import belongs_to
from ingress.routing.build.host_passthrough import asks_for_passthrough, read_passthrough
from ingress.routing.build.pattern_list import PatternList
from ingress.routing.build.pattern_rule import (
    NOT_A_PATTERN,
    ReadPattern,
    makers_of_patterns,
    pattern_rule,
    read_pattern,
    spared_namespaces,
)
from ingress.routing.build.route_factory import NamespaceOnHost, RouteFactory
from ingress.routing.build.rule_set import Rule, RuleSet
from ingress.routing.build.tree import ResourceTree
from ingress.routing.path_pattern import PATTERN_CHARACTERS
from ingress.routing.route import Route
from ingress.routing.snapshot import VirtualHost
from ingress.steps import STRIDE, Steps

ProblemsByObject = Mapping[ObjectKey, tuple[Problem, ...]]

_OLDER = (
    "an older Ingress of this namespace asks for something else on this host, which holds for all "
    "of its paths there"
)

_OLDER_AND_OPEN = (
    f"{_OLDER}, and may let in whom this object keeps out: the paths of this object there answer "
    "503"
)

_PATTERNS_AT_ONCE: Final = STRIDE // 4

Rules = ResourceTree | PatternList
"""The rules of a host while they are collected."""


@dataclass(frozen=True, slots=True)
class MergedHost:
    """A merged host, and the Problems of the rules that lost."""

    virtual_host: VirtualHost | None
    """None if no object may have rules for the host."""

    problems: ProblemsByObject


def merge_host(
    host: str,
    sets: Sequence[RuleSet],
    factory: RouteFactory,
    owner: RuleSet | None = None,
    canaries: CanariesOfHost | None = None,
) -> Steps[MergedHost]:
    """
    :param host: in lower case; empty for hosts that no rule names.
    :param sets: the rules of the objects that have any for it, the oldest first.
    :param owner: the object whose namespace alone may have rules for it; None for all.
    :param canaries: the canaries that want some of its requests.
    """
    canaries = canaries if canaries is not None else CanariesOfHost(host, ())
    if owner is None or all(_is_of(owner, item) for item in sets):
        return (yield from _Merge(host, sets, factory, canaries).merge())
    allowed = [item for item in sets if _is_of(owner, item)]
    merged = MergedHost(None, problems_by_object(canaries.finish()))
    if allowed:
        merged = yield from _Merge(host, allowed, factory, canaries).merge()
    message = f"{belongs_to(owner, host)}; this rule and others for the host are not served"
    refused = {
        item.key: (item.problem(Code.HOST_TAKEN, _field_of(item, host), message, host),)
        for item in sets
        if not _is_of(owner, item)
    }
    return MergedHost(merged.virtual_host, {**merged.problems, **refused})


def _is_of(owner: RuleSet, item: RuleSet) -> bool:
    return owner.source.namespace == item.source.namespace


def _field_of(item: RuleSet, host: str) -> str:
    """The first rule of an object for a host."""
    rules = (*item.hosts[host], *filter(None, (item.default,)))
    return rules[0].field if rules else "spec.rules"


class _Merge:
    """One host while its rules are merged."""

    def __init__(
        self,
        host: str,
        sets: Sequence[RuleSet],
        factory: RouteFactory,
        canaries: CanariesOfHost,
    ) -> None:
        self._host = host
        self._sets = sets
        self._factory = factory
        self._canaries = canaries
        self._pattern_makers = makers_of_patterns(host, sets)
        self._patterns: dict[str, ReadPattern] = {}
        has_patterns = bool(self._pattern_makers) or any(item.has_patterns for item in sets)
        self._rules: Rules = PatternList() if has_patterns else ResourceTree()
        self._default: Route | None = None
        self._problems: dict[ObjectKey, list[Problem]] = {}
        self._namespaces: dict[str, NamespaceOnHost] = {}
        self._closed: set[ObjectKey] = set()
        """The objects whose rules are closed, because what guards them is not host-wide here."""

        self._client_trust: ClientTrust | None = None
        self._is_passed_through = False
        """Whether TLS ends at the endpoints."""

        self._prefixes: dict[bytes, Route] = {}
        """The rules of the type Prefix by their paths, without a slash at the end."""

    def merge(self) -> Steps[MergedHost]:
        yield from self._read_patterns()
        self._look_at_namespaces()
        self._tell_namespaces()
        for index, item in enumerate(self._sets):
            namespace = self._namespaces[item.source.namespace]
            for count, rule in enumerate(item.hosts[self._host]):
                self._add_rule(item, rule, namespace)
                if count % STRIDE == STRIDE - 1:
                    yield
            self._add_default(item, namespace)
            if index % STRIDE == STRIDE - 1:
                yield
        virtual_host = yield from self._rules.freeze(self._host, self._default)
        if self._add_root(virtual_host):
            virtual_host = yield from self._rules.freeze(self._host, self._default)
        for item, problem in self._canaries.finish():
            self._problems.setdefault(item.key, []).append(problem)
        if self._client_trust is not None:
            virtual_host = replace(virtual_host, client_trust=self._client_trust)
        if self._is_passed_through:
            passthrough, told = read_passthrough(
                virtual_host, self._sets[0].source.namespace, self._sets
            )
            virtual_host = replace(virtual_host, passthrough=passthrough)
            for item, problem in told:
                self._problems.setdefault(item.key, []).append(problem)
        return MergedHost(
            virtual_host, {key: tuple(problems) for key, problems in self._problems.items()}
        )

    def _read_patterns(self) -> Steps[None]:
        """Read the regular expressions, each of which takes some ten microseconds."""
        for item in self._sets:
            if item.source.namespace in self._pattern_makers:
                for rule in item.hosts[self._host]:
                    self._patterns[rule.written] = read_pattern(rule.written)
                    if len(self._patterns) % _PATTERNS_AT_ONCE == 0:
                        yield

    def _look_at_namespaces(self) -> None:
        """Collect what the objects of each namespace ask for on this host, together."""
        sets_of: dict[str, list[RuleSet]] = {}
        for item in self._sets:
            sets_of.setdefault(item.source.namespace, []).append(item)
        owner = self._sets[0].source
        features: dict[str, RouteFeature]
        is_guarded = any(self._guards(item) for item in self._sets)
        for namespace, sets in sets_of.items():
            features = {}
            scope = HostScope(self._host, namespace, (owner.namespace, owner.name))
            for item in sets:
                for key, feature in item.host_wide.items():
                    loss = feature.loss_on(scope)
                    if loss:
                        self._problem(
                            item, Code.SHARED_HOST, "metadata.annotations", loss, self._host
                        )
                        if feature.guards:
                            self._closed.add(item.key)
                    elif features.setdefault(key, feature) != feature and key != Refusal.key():
                        message = _OLDER
                        if not feature.is_met_by(features[key]):
                            self._closed.add(item.key)
                            message = _OLDER_AND_OPEN
                        self._problem(
                            item, Code.SHARED_HOST, "metadata.annotations", message, self._host
                        )
            if namespace == owner.namespace:
                trusts = (feature.client_trust for feature in features.values())
                self._client_trust = next(filter(None, trusts), None)
            https_hosts = hosts_over_https(self._host, sets)
            self._namespaces[namespace] = NamespaceOnHost(
                self._host, https_hosts, features, is_guarded
            )
        passthrough = self._namespaces[owner.namespace].features.get(SSLPassthrough.key())
        if passthrough is not None:
            # No request for the host that was decrypted here gets anywhere, whoever has the rule.
            self._is_passed_through = True
            for namespace, found in self._namespaces.items():
                features = {**found.features, SSLPassthrough.key(): passthrough}
                self._namespaces[namespace] = found._replace(features=features)

    def _guards(self, item: RuleSet) -> bool:
        """Return whether one of an object's rules for this host decides who gets access."""
        if _guards(item, self._host):
            return True
        has_patterns = item.source.namespace in self._pattern_makers
        return has_patterns and any(
            self._patterns[rule.written].fault for rule in item.hosts[self._host]
        )

    def _tell_namespaces(self) -> None:
        for item, message in spared_namespaces(self._host, self._sets, self._pattern_makers):
            if self._host in item.pattern_hosts:
                self._problem(item, Code.SHARED_HOST, "metadata.annotations", message, self._host)
            else:
                self._problem(
                    item, Code.SHARED_HOST, _field_of(item, self._host), message, self._host
                )

    def _route(self, item: RuleSet, rule: Rule, namespace: NamespaceOnHost) -> Route:
        if item.key in self._closed:
            refusal = rule.features.get(Refusal.key(), Refusal())
            rule = rule._replace(features={**rule.features, Refusal.key(): refusal})
        return self._factory.route(item.source, rule, namespace)

    def _add_rule(self, item: RuleSet, rule: Rule, namespace: NamespaceOnHost) -> None:
        fault = ""
        if item.source.namespace in self._pattern_makers:
            rule, fault = pattern_rule(rule, self._patterns[rule.written])
        elif rule.pattern is None and PATTERN_CHARACTERS.search(rule.written):
            fault = NOT_A_PATTERN
        if fault:
            code = Code.PATH_LIKE_PATTERN if fault is NOT_A_PATTERN else Code.PATH_PATTERN
            self._problem(item, code, f"{rule.field}.path", fault, rule.written)
        route = self._route(item, rule, namespace)
        found = self._canaries.find(route, rule.path_type)
        if found.canaries is not None:
            route = replace(route, canaries=found.canaries)
        winner = self._taken_below(route, rule) or self._rules.add(rule.path, route)
        if winner is None:
            self._canaries.take(found)
        if winner is not None and not _is_same(winner, route):
            what = f"the {rule.path_type} path {shown(winner.path)}"
            self._lose(item, f"{rule.field}.path", rule.written, what, winner)

    def _taken_below(self, route: Route, rule: Rule) -> Route | None:
        """
        Find who has everything below a path with a slash at the end: with ``/a/`` of the type
        ImplementationSpecific nobody takes what is below the older ``/a`` of another namespace.
        """
        if rule.pattern is not None or rule.conditions or rule.path_type == "Exact":
            return None
        base = rule.path.removesuffix(b"/")
        if rule.path_type == "Prefix":
            self._prefixes.setdefault(base, route)
            return None
        older = self._prefixes.get(base) if base != rule.path else None
        return older if older is not None and older.ingress[0] != route.ingress[0] else None

    def _add_default(self, item: RuleSet, namespace: NamespaceOnHost) -> None:
        if item.default is None:
            return
        if self._default is None:
            route = self._route(item, item.default, namespace)
            found = self._canaries.find(route, DEFAULT)
            self._canaries.take(found)
            self._default = replace(route, canaries=found.canaries) if found.canaries else route
        else:
            self._lose(item, item.default.field, "", "a default backend", self._default)

    def _add_root(self, virtual_host: VirtualHost) -> bool:
        """
        Give ``/`` to the oldest object that wants it, if no rule matches it.

        :param virtual_host: the host as it is without.
        :return: whether there is one more rule.
        """
        wanted = [(item, item.root) for item in self._sets if item.root is not None]
        if not wanted:
            return False
        winner = next(virtual_host.candidates(b"/"), virtual_host.default)
        is_free = winner is None
        for item, rule in wanted:
            if winner is None:
                namespace = self._namespaces[item.source.namespace]
                winner = self._route(item, rule, namespace)
                self._rules.add(rule.path, winner)
            elif winner.ingress != item.source.key[1:]:
                owner = f"{item.source.kind} {'/'.join(winner.ingress)}"
                message = f"{owner} has / of {self._hosts}, so that this does not redirect it"
                self._problem(item, Code.RULE_TAKEN, rule.field, message, "")
        return is_free

    @property
    def _hosts(self) -> str:
        return f"host {self._host}" if self._host else "hosts that no rule names"

    def _lose(self, item: RuleSet, field_path: str, value: str, what: str, winner: Route) -> None:
        host = self._hosts
        if winner.ingress == item.source.key[1:]:
            reason = f"a rule above it has {what} for {host}"
        else:
            others = (other.source for other in self._sets if other is not item)
            kind = next(one.kind for one in others if one.key[1:] == winner.ingress)
            named = f"{kind} {'/'.join(winner.ingress)}"
            reason = f"{named}, which goes first by age and name, has {what} for {host}"
        self._problem(item, Code.RULE_TAKEN, field_path, f"{reason}; that one is served", value)

    def _problem(
        self, item: RuleSet, code: Code, field_path: str, message: str, value: str
    ) -> None:
        problem = item.problem(code, field_path, message, value)
        self._problems.setdefault(item.key, []).append(problem)


def problems_by_object(problems: Iterable[tuple[RuleSet, Problem]]) -> ProblemsByObject:
    """:return: the Problems by the key of their object."""
    found: dict[ObjectKey, tuple[Problem, ...]] = {}
    for item, problem in problems:
        found[item.key] = (*found.get(item.key, ()), problem)
    return found


def _guards(item: RuleSet, host: str) -> bool:
    """Return whether one of an object's rules for `host` decides who gets access."""
    rules = item.hosts[host] if item.default is None else (*item.hosts[host], item.default)
    seen: Features = item.host_wide
    if any(feature.guards for feature in seen.values()):
        return True
    for rule in rules:
        # Nearly all rules of an object have the same features.
        if rule.features is not seen:
            seen = rule.features
            if any(feature.guards for feature in seen.values()):
                return True
    return False


def _is_same(one: Route, other: Route) -> bool:
    """Return whether nothing is lost, as with ``/a`` and ``/a/`` for one Service."""
    return one.ingress == other.ingress and one.upstream == other.upstream


def hosts_over_https(host: str, sets: Sequence[RuleSet]) -> frozenset[bytes] | None:
    """
    Find the requests for `host` that a namespace wants over https. Certificates do not count.

    :param sets: the rules of its objects that have any for the host.
    :return: None for all of them, as on every rule host of an object with tls entries, and where
        TLS is to end at the endpoints; for rules without host, the hosts that the entries name,
        wildcards as ``*.example.com``.
    """
    if host and asks_for_passthrough(sets):
        return None
    entries = [entry for item in sets for entry in item.tls]
    if not entries:
        return frozenset()
    if host or not all(entry.names_hosts for entry in entries):
        return None
    return frozenset(name.encode() for entry in entries for name in entry.hosts)
