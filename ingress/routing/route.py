"""
A rule that a request can match, with everything ready-made that its exchange needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import takewhile
from typing import Final, NamedTuple

from ingress.endpoint import UpstreamKey
from ingress.field_edits import NO_EDITS, FieldEdits, ResponseEdits
from ingress.found_before import RouteFindings
from ingress.policy.access_logging import AccessLogging
from ingress.policy.call_settings import CallSettings
from ingress.policy.canary_rule import Canaries, CanaryRule
from ingress.policy.compression import Compression
from ingress.policy.connection_field import ConnectionField
from ingress.policy.feature import RouteFeature
from ingress.policy.live_state import RuleIdentity
from ingress.policy.mirror import Mirror
from ingress.policy.policy import GatedPolicy, Phase, Policy
from ingress.policy.response_pace import ResponsePace
from ingress.policy.rewrite import Rewrite
from ingress.policy.traffic_split import TrafficSplit
from ingress.routing.condition import Condition
from ingress.routing.extra_work import CanaryWork, ExtraWork
from ingress.routing.path_handling import PathHandling
from ingress.routing.path_pattern import PathPattern

MAX_PATH_LABEL: Final = 256
"""Each metric of a rule repeats it, and an Ingress may have paths of many kilobytes."""

_FIELD_OF: Final = {phase: f"{phase.value}_policies" for phase in Phase}


class RouteLabels(NamedTuple):
    """The labels that identify a rule in metrics across Snapshots."""

    host: str
    """``_`` for hosts that no rule names, as in ingress-nginx."""

    namespace: str = ""
    ingress: str = ""
    service: str = ""
    path: str = ""
    """Cut to `MAX_PATH_LABEL` characters."""

    canary: str = ""
    """The name of the canary's Upstream; empty for requests that the rule's own Service gets."""


@dataclass(frozen=True, slots=True)
class Route(CallSettings):
    """A path rule (or default backend) of one Ingress, with the settings of its calls."""

    # First what each request reads, so that it lies side by side in memory.

    is_plain: bool = field(default=True, init=False, repr=False, compare=False)
    """
    Whether an exchange only has to ask an endpoint and to pass its response on. It is ready-made,
    like all fields that are not given.
    """

    upstream_names: bytes = field(init=False, repr=False, compare=False)
    """
    The names of the rule's Upstream, ``-`` without one, and of the canary's in the access log:
    ``[default-web-80] []``.
    """

    found: RouteFindings = field(
        default_factory=RouteFindings, init=False, repr=False, compare=False
    )
    """What does not have to be looked up again."""

    ingress: tuple[str, str]
    """``(namespace, name)`` of the Ingress that has the rule."""

    upstream: UpstreamKey | None
    """None for a resource backend, which is answered with 404."""

    path: str = "/"
    """The path as written in the Ingress; ``/`` for a default backend."""

    path_type: str = "Prefix"

    host: str = ""
    """The name of its VirtualHost: ``*.example.com`` for a wildcard, empty for none."""

    policies: tuple[Policy, ...] = ()
    """In the order in which they run within a phase."""

    response_edits: ResponseEdits | None = None
    """Changes to every response; None for those of the Snapshot, which most routes have."""

    pattern: PathPattern | None = None
    """The pattern of the path on a host with an ordered list; None in a tree."""

    conditions: tuple[Condition, ...] = ()
    """Further conditions on a request; all of them must hold."""

    connection: ConnectionField | None = None
    """The Connection field that endpoints get; None for one that says nothing."""

    logging: AccessLogging | None = None
    """Which requests have no line in the access log; None if all have one."""

    pace: ResponsePace | None = None
    """The pace of responses; None for as fast as the client reads."""

    compression: Compression | None = None
    """How responses are compressed; None if they are not."""

    paths: PathHandling | None = None
    """The treatment of unusual paths; None if each goes upstream as it is written."""

    rewrite: Rewrite | None = None
    """The path that endpoints get in place of the request's."""

    mirror: Mirror | None = None
    """The server that gets copies of requests; None for nearly all rules."""

    canaries: Canaries | None = None
    """The canaries that get some of the requests; None for nearly all rules."""

    canary_rule: CanaryRule | None = None
    """Which of the canaries this is, if it is the Route of one."""

    own_upstream: UpstreamKey | None = None
    """The Upstream of the rule, if this is the Route of a canary."""

    labels: RouteLabels = field(init=False, repr=False, compare=False)

    canary_routes: tuple[Route, ...] = field(default=(), init=False, repr=False, compare=False)
    """A Route for each of `canaries`: the same but for its Upstream and how its endpoints share."""

    request_edits: FieldEdits = field(default=NO_EDITS, init=False, repr=False, compare=False)
    """Changes that the policies make to every request."""

    access_policies: tuple[Policy, ...] = field(default=(), init=False, repr=False, compare=False)
    """The members of `policies` that decide in this phase, and likewise below; mostly none."""

    request_policies: tuple[Policy, ...] = field(default=(), init=False, repr=False, compare=False)
    response_policies: tuple[Policy, ...] = field(default=(), init=False, repr=False, compare=False)
    error_policies: tuple[Policy, ...] = field(default=(), init=False, repr=False, compare=False)

    has_phases: bool = field(default=False, init=False, repr=False, compare=False)
    """Whether a policy decides anything; those that only edit all heads are ready-made."""

    work: ExtraWork | None = field(default=None, init=False, repr=False, compare=False)
    """What exchanges do beside that; None if the route is plain."""

    def __post_init__(self) -> None:
        CallSettings.__post_init__(self)
        own, canary = self.upstream, ""
        if self.canary_rule is not None:
            own, canary = self.own_upstream, str(self.canary_rule.upstream)
        name = str(own) if own is not None else "-"
        object.__setattr__(self, "upstream_names", f"[{name}] [{canary}]".encode())
        path, service = self.path[:MAX_PATH_LABEL], own.service if own is not None else ""
        labels = RouteLabels(self.host or "_", *self.ingress, service, path, canary)
        object.__setattr__(self, "labels", labels)
        if self.policies:
            self._order_policies()
        if self.canaries is not None:
            found = tuple(map(self._canary_route, self.canaries.rules))
            object.__setattr__(self, "canary_routes", found)
        is_plain = not self.policies and self.response_edits is None and self.paths is None
        extras = (
            self.rewrite,
            self.pace,
            self.compression,
            self.mirror,
            self.canaries,
            self.connection,
        )
        if not is_plain or any(extra is not None for extra in extras):
            object.__setattr__(self, "is_plain", False)
            object.__setattr__(self, "work", self._extra_work())

    def _extra_work(self) -> ExtraWork:
        # A context is needed anyway for policies that see responses.
        elsewhere = self.request_policies or self.response_policies or self.error_policies
        gates = [] if elsewhere else [*takewhile(_has_gate, self.access_policies)]
        return ExtraWork(
            self.request_edits,
            self.response_edits,
            tuple(each.gate for each in gates if isinstance(each, GatedPolicy)),
            len(gates) == len(self.access_policies),
            self.paths,
            self.has_phases,
            tuple(map(_canary_work, self.canary_routes)),
            self.rewrite is not None or self.connection is not None,
            self.mirror is not None,
            self.pace is not None or self.compression is not None,
        )

    def _canary_route(self, rule: CanaryRule) -> Route:
        """Everything that the rule's own Ingress asks for holds for its canaries, too."""
        policies = tuple(each for each in self.policies if not isinstance(each, TrafficSplit))
        return replace(
            self,
            upstream=rule.upstream,
            own_upstream=self.upstream,
            canaries=None,
            canary_rule=rule,
            load_balance=rule.load_balance,
            affinity=rule.affinity if rule.canary.keeps_own_affinity else self.affinity,
            policies=policies,
        )

    def _order_policies(self) -> None:
        edits = NO_EDITS
        for policy in self.policies:
            edits = edits.then(policy.request_edits)
        object.__setattr__(self, "request_edits", edits)
        for phase in Phase:
            found = tuple(policy for policy in self.policies if phase in policy.phases)
            if found:
                object.__setattr__(self, _FIELD_OF[phase], found)
                object.__setattr__(self, "has_phases", True)

    @property
    def features(self) -> Iterator[RouteFeature]:
        """The features that annotations and the configuration ask for, for explanations."""
        yield from self.policies
        settings = (
            self.rewrite,
            self.load_balance,
            self.proxy,
            self.affinity,
            self.tls,
            self.version,
            self.pace,
            self.mirror,
            self.compression,
            self.connection,
            self.canaries,
            self.logging,
            self.canary_rule,
        )
        yield from (setting for setting in settings if setting is not None)

    @property
    def identity(self) -> RuleIdentity:
        """The key of the live state of the route's policies."""
        return RuleIdentity(*self.ingress, self.host, self.path, self.path_type)

    def edits_for(self, otherwise: FieldEdits, *, is_secure: bool) -> FieldEdits:
        """
        :param otherwise: the changes to responses of routes that have none of their own.
        :param is_secure: whether the client came over TLS.
        :return: the changes to responses of this one.
        """
        edits = self.response_edits
        if edits is None:
            return otherwise
        return edits.https if is_secure else edits.http

    def response_edits_with(self, hsts: FieldEdits) -> ResponseEdits | None:
        """
        Add up the changes of the policies to responses.

        :param hsts: the changes to every response over https.
        :return: the `response_edits` that the policies ask for; None if they ask for none.
        """
        wanted = tuple(filter(None, (policy.response_edits for policy in self.policies)))
        return _added_up(wanted, hsts) if wanted else None


@lru_cache(1024)
def _added_up(wanted: tuple[FieldEdits, ...], hsts: FieldEdits) -> ResponseEdits:
    """Most rules of a cluster ask for the same changes."""
    edits = NO_EDITS
    for each in wanted:
        edits = edits.then(each)
    return ResponseEdits(edits, hsts.then(edits))


def _has_gate(policy: Policy) -> bool:
    return isinstance(policy, GatedPolicy)


def _canary_work(route: Route) -> CanaryWork:
    rule = route.canary_rule
    assert rule is not None
    canary = rule.canary
    is_asked_for = bool(canary.header or canary.cookie)
    return CanaryWork(
        route, rule.upstream, rule.share, canary if is_asked_for else None, route.affinity
    )
