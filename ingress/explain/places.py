"""
Where the rules of an explanation stand: their Ingress, or the line of the path if it is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ingress.policy.live_state import RuleIdentity
from ingress.problem import Origin, Problem
from ingress.routing.build import Built
from ingress.routing.route import Route

Places = Mapping[RuleIdentity, Origin]


def places_of(built: Built, routes: Iterable[Route]) -> dict[RuleIdentity, Origin]:
    """:return: where the Ingress of each rule stands."""
    ingresses = built.memo.objects.ingresses
    found = {}
    for route in routes:
        ingress = ingresses.get(route.ingress)
        if ingress is not None and ingress.origin.file:
            found[route.identity] = ingress.origin
    return found


def pointers(built: Built, routes: Iterable[Route]) -> dict[RuleIdentity, Problem]:
    """:return: for each rule a Problem with its field, whose line a source of files finds."""
    found = {}
    for route in routes:
        rules = built.memo.rules.sets.get(("Ingress", *route.ingress))
        ingress = built.memo.objects.ingresses.get(route.ingress)
        if rules is None or ingress is None:
            continue
        for rule in rules.hosts.get(route.host, ()):
            if rule.written == route.path:
                found[route.identity] = Problem(
                    "", "Ingress", *route.ingress, field=f"{rule.field}.path", origin=ingress.origin
                )
                break
    return found
