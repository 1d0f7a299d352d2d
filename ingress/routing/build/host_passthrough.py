"""
A host whose TLS ends at its endpoints: which of its rules gets the connections, and what is told to
those who have other ones.

Source of the rules: docs/compatibility.md, section 5, "TLS passthrough".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from ingress.address_ranges import AddressRanges
from ingress.policy.annotation import PREFIX
from ingress.policy.blocked_clients import BlockedClients
from ingress.policy.client_limits import ClientLimits
from ingress.policy.policy import Policy
from ingress.policy.refusal import Refusal
from ingress.policy.registry import Features
from ingress.policy.satisfy import SatisfyAny
from ingress.policy.source_ranges import SourceRanges
from ingress.policy.ssl_passthrough import NAME, SSLPassthrough
from ingress.problem import Problem
from ingress.problem_code import Code
from ingress.routing.build.rule_set import RuleSet
from ingress.routing.passthrough import Passthrough
from ingress.routing.route import Route
from ingress.routing.snapshot import VirtualHost

P = TypeVar("P", bound=Policy)

_KEY: Final = SSLPassthrough.key()
_FIELD: Final = f"metadata.annotations[{PREFIX}{NAME}]"
_ROOT: Final = b"/"

_NO_ROOT: Final = (
    "no rule of this namespace has the path / of the host, whose Service would get the connections "
    "over TLS; they are closed"
)
_REFUSED: Final = (
    "the rule for / answers 503, so that the connections over TLS for the host are closed as well"
)
_NO_CANARIES: Final = (
    "connections over TLS are passed on to the Service of the rule itself, and canaries get none "
    "of them"
)


def asks_for_passthrough(sets: Sequence[RuleSet]) -> bool:
    """Whether the TLS of a host is to end at its endpoints, for one of these objects."""
    return any(_KEY in item.host_wide for item in sets)


def read_passthrough(
    host: VirtualHost, owner: str, sets: Sequence[RuleSet]
) -> tuple[Passthrough, list[tuple[RuleSet, Problem]]]:
    """
    :param host: the merged host, with a name.
    :param owner: the namespace whose objects ask for it.
    :param sets: the rules of all objects that have any for the host, the oldest first.
    :return: what becomes of the connections, and the Problems.
    """
    own = [item for item in sets if item.source.namespace == owner]
    asking = next(item for item in own if _KEY in item.host_wide)
    route = host.route(_ROOT)
    problems = [*_told(host, owner, sets, route)]
    ingress = asking.source.namespace, asking.source.name
    if route is None or route.upstream is None or route.ingress[0] != owner:
        problems.append(_problem(asking, Code.PASSTHROUGH_CLOSED, _NO_ROOT, host.name))
        closed = "no rule of its namespace has the path / with a Service"
        return Passthrough(ingress, host.name, None, closed), problems
    if _find(route, Refusal) is not None:
        problems.append(_problem(asking, Code.PASSTHROUGH_CLOSED, _REFUSED, host.name))
        closed = "its rule for / cannot be honoured"
        return Passthrough(ingress, host.name, None, closed), problems
    if route.canaries is not None:
        problems.append(_problem(asking, Code.PASSTHROUGH_DIFFERS, _NO_CANARIES, host.name))
    limits, blocked = _find(route, ClientLimits), _find(route, BlockedClients)
    passthrough = Passthrough(
        ingress,
        host.name,
        route.upstream,
        ranges=_find(route, SourceRanges) or _ranges_of_any(route),
        blocked=AddressRanges() if blocked is None else blocked.addresses,
        limits=limits if limits is not None and limits.connections else None,
    )
    return passthrough, problems


def _told(
    host: VirtualHost, owner: str, sets: Sequence[RuleSet], route: Route | None
) -> Iterator[tuple[RuleSet, Problem]]:
    """Tell those whose rules get no request over https, once for each object."""
    asking = next(
        "/".join((item.source.namespace, item.source.name))
        for item in sets
        if item.source.namespace == owner and _KEY in item.host_wide
    )
    for item in sets:
        if item.source.namespace != owner:
            message = (
                f"Ingress {asking}, of the namespace that has this host first, asks for "
                f"{NAME}: requests over https do not reach this rule"
            )
            yield (
                item,
                item.problem(Code.SHARED_HOST, _first_field(item, host.name), message, host.name),
            )
            continue
        others = [rule for rule in item.hosts[host.name] if rule.path != _ROOT]
        if others:
            message = (
                f"{NAME} of Ingress {asking} gives all connections over TLS to the Service of /: "
                "this rule gets requests over http alone"
            )
            yield (
                item,
                item.problem(
                    Code.PASSTHROUGH_DIFFERS, f"{others[0].field}.path", message, others[0].written
                ),
            )
        guarding = _guarding(item, host.name, route)
        if guarding:
            message = (
                f"the access rules of this Ingress ({', '.join(guarding)}) do not hold for "
                f"connections over TLS, which {NAME} of Ingress {asking} passes on"
            )
            yield (
                item,
                item.problem(
                    Code.PASSTHROUGH_UNGUARDED, "metadata.annotations", message, host.name
                ),
            )


def _guarding(item: RuleSet, host: str, route: Route | None) -> list[str]:
    """What guards the rules of an object that does not ask for passthrough itself."""
    if _KEY in item.host_wide:
        return []  # `SSLPassthrough.read` has told it.
    rules = (*item.hosts[host], *filter(None, (item.default,)))
    features: Features = rules[0].features if rules else {}
    # Of the object whose Service gets the connections, these hold.
    applied = {SourceRanges.key(), BlockedClients.key()}
    if route is None or route.ingress != item.source.key[1:]:
        applied = set()
    return [key for key, each in features.items() if each.guards and key not in applied]


def _find(route: Route, kind: type[P]) -> P | None:
    return next((policy for policy in route.policies if isinstance(policy, kind)), None)


def _ranges_of_any(route: Route) -> SourceRanges | None:
    """With ``satisfy: any`` the address is the only one of its rules that a connection can meet."""
    found = _find(route, SatisfyAny)
    policies = () if found is None else found.policies
    return next((each for each in policies if isinstance(each, SourceRanges)), None)


def _first_field(item: RuleSet, host: str) -> str:
    rules = (*item.hosts[host], *filter(None, (item.default,)))
    return rules[0].field if rules else "spec.rules"


def _problem(item: RuleSet, code: Code, message: str, host: str) -> tuple[RuleSet, Problem]:
    return item, item.problem(code, _FIELD, message, host)
