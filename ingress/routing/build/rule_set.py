"""
The neutral model of rules: what one object, of any kind, wants to be routed.

Reading an Ingress produces a `RuleSet`. A reader of another kind of object, such as HTTPRoute,
would produce the same, and nothing behind it would change: a RuleSet has everything that other
modules know of the object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final, NamedTuple

from ingress.endpoint import UpstreamKey
from ingress.frozen import dataclass
from ingress.kube.objects import ObjectKey, ObjectName
from ingress.policy.registry import NO_FEATURES, Features
from ingress.port_service import PortKey, PortService
from ingress.problem import Origin, Problem, quoted
from ingress.problem_code import Code
from ingress.routing.build.age import Age
from ingress.routing.build.canary_set import CanarySet
from ingress.routing.condition import Condition
from ingress.routing.path_pattern import PathPattern

_NO_HOSTS: Final[Mapping[str, object]] = {}


class RuleSource(NamedTuple):
    """The object that has the rules."""

    kind: str
    namespace: str
    name: str
    origin: Origin = Origin()

    @property
    def key(self) -> ObjectKey:
        """What identifies it among all objects."""
        return (self.kind, self.namespace, self.name)

    def problem(self, code: Code, field_path: str, message: str, value: str = "") -> Problem:
        """
        :param code: the kind of thing that is wrong.
        :param field_path: the field in kubectl's notation.
        :param value: the value as written; it is shortened here.
        """
        return Problem(
            message=message,
            kind=self.kind,
            namespace=self.namespace,
            name=self.name,
            field=field_path,
            value=quoted(value) if value else "",
            origin=self.origin,
            code=code,
        )


class WeightedBackend(NamedTuple):
    """A Service port, and its share of the requests of a rule."""

    upstream: UpstreamKey | None
    """None for a backend that is no Service: its requests are answered with 404."""

    weight: int = 1


class Rule(NamedTuple):
    """A path, and what becomes of its requests; a default backend has the path ``/``."""

    path: bytes
    """The canonical path, or a regular expression if there is a `pattern`."""

    path_type: str
    written: str
    """The path as written in the object."""

    backends: tuple[WeightedBackend, ...]
    """At least one."""

    field: str
    """The position of the rule: ``spec.rules[0].http.paths[0]``."""

    features: Features = NO_FEATURES
    """Policies and settings; the same mapping for all rules that have the same ones."""

    conditions: tuple[Condition, ...] = ()
    """What a request must be like, beyond host and path."""

    pattern: PathPattern | None = None
    """A regular expression; None for a path of one of the three types."""


class TLSEntry(NamedTuple):
    """A certificate for some hosts: one entry of ``spec.tls``."""

    hosts: tuple[str, ...]
    """In lower case; for an entry without hosts, the rule hosts that its certificate covers."""

    secret: ObjectName | None
    """None for the default certificate."""

    names_hosts: bool


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of one object."""

    source: RuleSource
    age: Age

    hosts: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    """Its rules by host in lower case; the host is empty for rules without one."""

    default: Rule | None = None
    """The default backend, for requests to these hosts that match no path."""

    root: Rule | None = None
    """A rule for ``/`` of each of these hosts that has no other rule for it, of any object."""

    has_patterns: bool = False
    """Whether one of its rules is a regular expression."""

    pattern_hosts: frozenset[str] = frozenset()
    """Those of its hosts on which all paths of its namespace are regular expressions."""

    aliases: Mapping[str, str] = field(default_factory=dict)
    """Further hosts, each with the host of `hosts` whose rules it has."""

    host_wide: Features = field(default_factory=dict)
    """Features of its rules that hold for other rules of its namespace on these hosts, too."""

    tls: tuple[TLSEntry, ...] = ()
    """If there are any, the namespace wants all hosts of the object to be served over https."""

    tls_hosts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The indexes of the entries of `tls` for each host."""

    upstreams: Mapping[UpstreamKey, str] = field(default_factory=dict)
    """The Service ports that it names, each with the field that names it first."""

    named_secrets: frozenset[ObjectName] = frozenset()
    """The Secrets that its features depend on."""

    config_maps: frozenset[ObjectName] = frozenset()
    """The ConfigMaps that its features depend on."""

    ports: Mapping[PortKey, PortService] = field(default_factory=dict)
    """The TCP and UDP services that it lists."""

    canary: CanarySet | None = None
    """What it asks for if it is a canary, which has no rules of its own; None for all others."""

    problems: tuple[Problem, ...] = ()
    """The Problems that do not depend on other objects."""

    @property
    def key(self) -> ObjectKey:
        """What identifies the object among all."""
        return self.source.key

    @property
    def has_rules(self) -> bool:
        """Whether requests can match it, or can go to it as a canary."""
        return bool(self.hosts or self.default or self.canary_hosts)

    @property
    def canary_hosts(self) -> Mapping[str, object]:
        """The hosts for which it has rules as a canary."""
        return _NO_HOSTS if self.canary is None else self.canary.hosts

    @property
    def secrets(self) -> frozenset[ObjectName]:
        """The Secrets of its certificates."""
        return frozenset(entry.secret for entry in self.tls if entry.secret is not None)

    def problem(self, code: Code, field_path: str, message: str, value: str = "") -> Problem:
        """As `RuleSource.problem`."""
        return self.source.problem(code, field_path, message, value)


def entries_by_host(entries: tuple[TLSEntry, ...]) -> dict[str, tuple[int, ...]]:
    """:return: by host, which entries are for it."""
    by_host: dict[str, list[int]] = {}
    for index, entry in enumerate(entries):
        for host in entry.hosts:
            by_host.setdefault(host, []).append(index)
    return {host: tuple(indexes) for host, indexes in by_host.items()}
