"""
What somebody needs to know first whose request no rule matches: what is near, what is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ingress.explain.candidates import (
    Candidates,
    RuleCandidate,
    common_length,
    nearest_hosts,
    remedy_for,
    same_path_elsewhere,
)
from ingress.explain.left_out import (
    MOST,
    LeftOut,
    Nearness,
    bounded,
    find_left_out,
    has_match,
    hosts_looked_for,
    hosts_of,
)
from ingress.explain.told import TO_CHANGE, Told, change_of, placed, rule_name
from ingress.kube.objects import CLASS_ANNOTATION, Ingress
from ingress.message import Request
from ingress.problem import coded
from ingress.routing.build import Built


def not_found(
    built: Built,
    told: Told,
    candidates: Candidates,
    request: Request,
    further: Iterable[str] = (),
) -> Iterator[str]:
    """
    Yield sentences about a request that no rule matches.

    :param candidates: what it could have met.
    :param further: what else there is to say of its host.
    """
    hosts = hosts_looked_for(candidates)
    found = find_left_out(built, told.problems, hosts, request.path)
    left_out = bounded(found)
    near = [each for each in left_out if each.nearness <= Nearness.OF_HOST]
    foreign = [each for each in _foreign(built) if hosts_of(each) & set(hosts)]
    if candidates.host is None:
        yield f"no Ingress that is served has a rule for the host {_name(request)}"
        yield from _left_out(near)
        yield from _of_other_classes(built, foreign)
        yield from further
        if not (near or foreign):
            yield from _unknown_host(built, told, request)
    else:
        nearest = next((each for each in candidates.rules if not each.is_chosen), None)
        nearer = [each for each in near if _is_nearer(each, nearest, request)]
        yield from _left_out(nearer)
        matching = [each for each in foreign if has_match(each, hosts, request.path)]
        yield from _of_other_classes(built, matching)
        yield from _nearest(built, told, nearest, request, further)
        yield from _left_out(each for each in near if each not in nearer)
    yield from _left_out(each for each in left_out if each.nearness > Nearness.OF_HOST)
    if len(left_out) < len(found):
        yield f"{TO_CHANGE}what else is left out: txingress check and txingress problems tell all"


def _name(request: Request) -> str:
    return request.host.decode("ascii", "replace")


def _is_nearer(left_out: LeftOut, nearest: RuleCandidate | None, request: Request) -> bool:
    if nearest is None or left_out.nearness is Nearness.MATCHING:
        return True
    path = request.path.decode("utf-8", "replace")
    return left_out.common > common_length(nearest.route.path, path)


def _nearest(
    built: Built,
    told: Told,
    nearest: RuleCandidate | None,
    request: Request,
    further: Iterable[str],
) -> Iterator[str]:
    if nearest is None:
        yield f"the host {_name(request)} has no rule with a path"
        change = f"a rule for the path in an Ingress with the host {_name(request)}"
    else:
        yield f"nearest: {rule_name(told, nearest.route)}: {nearest.reason}"
        change = remedy_for(nearest.route, request.path)
    yield from further
    yield from _elsewhere(built, told, request)
    yield f"{TO_CHANGE}{change}"


def _elsewhere(built: Built, told: Told, request: Request) -> Iterator[str]:
    for other in same_path_elsewhere(built.snapshot, request.path):
        if other.host != _name(request):
            yield f"this path has a rule on another host, {other.host}: {rule_name(told, other)}"


def _left_out(found: Iterable[LeftOut]) -> Iterator[str]:
    for each in found:
        yield f"{_LEFT_OUT[each.nearness]}: {coded(each.problem)}"
        yield from change_of(each.problem)


_LEFT_OUT: Final = {
    Nearness.MATCHING: "left out, and would match",
    Nearness.OF_HOST: "left out",
    Nearness.INGRESS: "not used, and may have this host",
    Nearness.SOURCE: "not read, and may have a rule for it",
}


def _of_other_classes(built: Built, foreign: Sequence[Ingress]) -> Iterator[str]:
    for each in foreign[:MOST]:
        name = "/".join((each.metadata.namespace, each.metadata.name))
        written = each.spec.ingress_class_name or each.metadata.annotations.get(CLASS_ANNOTATION)
        yield (
            f"Ingress {placed(name, each.origin)} has a rule for it, but is of the class "
            f"{written or '(none)'}, which is not served here"
        )
    if foreign:
        yield (
            f"{TO_CHANGE}its ingressClassName to {_our_class(built)}, or the key class of the "
            "configuration"
        )


def _our_class(built: Built) -> str:
    setting = built.snapshot.config.ingress_class
    ours = (
        each.metadata.name
        for each in built.memo.objects.ingress_classes.values()
        if each.spec.controller == setting.controller
    )
    return min(ours, default=setting.name)


def _unknown_host(built: Built, told: Told, request: Request) -> Iterator[str]:
    names = nearest_hosts(built.snapshot, request.host)
    if names:
        yield f"similar hosts have rules: {', '.join(names)}"
    counts = built.foreign_classes
    if counts:
        classes = ", ".join(f"{name or '(none)'} {count}" for name, count in counts.items())
        yield f"Ingresses of other classes are not served: {classes}"
    yield from _elsewhere(built, told, request)
    url = f"the URL to one of these hosts, or {_A_RULE}" if names else _A_RULE
    yield f"{TO_CHANGE}{url} {_name(request)}"


_A_RULE: Final = "an Ingress with a rule whose host is"


def _foreign(built: Built) -> Iterator[Ingress]:
    ours = built.memo.rules.sets
    for name, ingress in built.memo.objects.ingresses.items():
        if ("Ingress", *name) not in ours:
            yield ingress
