"""
What somebody needs to know first who did not expect an answer: what is near, what is wrong, and
what would have to change for another answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from ingress.config_map.reading import CLOSED
from ingress.endpoint import Endpoint, Upstream
from ingress.errors import Outcome
from ingress.explain.asked import Asked, NotAsked, ask
from ingress.explain.candidates import Candidates, RuleCandidate
from ingress.explain.dry_run import client_of, serve_assumed
from ingress.explain.heads import target_of
from ingress.explain.left_out import plainly_matches, written_path
from ingress.explain.not_found import not_found
from ingress.explain.told import TO_CHANGE, Told, change_of, placed, rule_name
from ingress.message import Request
from ingress.policy.annotation import PREFIX
from ingress.problem import Problem, coded
from ingress.problem_code import Code
from ingress.routing.build import Built
from ingress.routing.route import Route

_CLOSING: Final = frozenset({Code.ANNOTATION_CLOSES, Code.INGRESS_CLOSED, Code.HOST_TAKEN})
_FAULTS: Final = frozenset({Code.OBJECT_INVALID, Code.FILE_NOT_PARSED})
_OF_ONE_PATH: Final = frozenset({Code.PATH_PATTERN, Code.BACKEND_NO_SERVICE})

_MOST_REDIRECTS: Final = 10
_MOST_LISTED: Final = 3
_SOMEBODY: Final = Endpoint("192.0.2.1", 80)
"""An endpoint that nothing is ever sent to (RFC 5737)."""


def hints_of(built: Built, told: Told, request: Request | None) -> Iterator[str]:
    """Yield sentences, the most important first, each with what to change behind it."""
    if request is None:
        return
    candidates, further = told.candidates, list[str]()
    if told.outcome == Outcome.NO_ENDPOINT:
        further += _would_get(built, told)
    if candidates is not None:
        further += _patterns(built, candidates, request)
        further += _canaries(built, candidates)
    facts = [each for each in further if not each.startswith(TO_CHANGE)]
    if told.route is None and candidates is not None and told.status == 404:
        yield from not_found(built, told, candidates, request, facts)
    elif told.outcome == Outcome.NO_ENDPOINT:
        yield from _no_endpoint(told, facts)
    else:
        yield from facts
        if told.status is not None and told.status >= 400:
            yield from _refused(built, told)
        elif told.redirect:
            yield from _redirected(told)
    yield from (each for each in further if each.startswith(TO_CHANGE))


# 503 and others.


def _no_endpoint(told: Told, further: Iterable[str]) -> Iterator[str]:
    route = told.route
    if route is None or route.upstream is None:
        return
    namespace, service = route.upstream[:2]
    fault = told.upstream_fault.removesuffix("; answered with 503")
    if fault:
        yield fault
    yield f"named by {rule_name(told, route)}"
    change = "the port of the backend in the Ingress, or of the Service"
    if "does not exist" in fault:
        yield f"to look: kubectl -n {namespace} get service {service}"
        change = f"the Service that the Ingress names, or make {namespace}/{service}"
    elif "has no port" not in fault:
        slices = f"endpointslices -l kubernetes.io/service-name={service}"
        yield f"to look: kubectl -n {namespace} get {slices}"
        change = (
            "what keeps the pods that the Service selects from being ready, or the selector and "
            "targetPort of the Service"
        )
    yield from further
    yield f"{TO_CHANGE}{change}"


def _would_get(built: Built, told: Told) -> Iterator[str]:
    """Tell what an endpoint would be asked for, where that is not what the client asks for."""
    asked, route, snapshot = told.asked, told.route, built.snapshot
    if route is None or route.upstream is None:
        return
    upstream = snapshot.upstreams.get(route.upstream, Upstream(route.upstream))
    answering = {route.upstream: replace(upstream, endpoints=(_SOMEBODY,))}
    dry, _ = serve_assumed(
        replace(snapshot, upstreams={**snapshot.upstreams, **answering}),
        asked.head(),
        client_of(snapshot, asked.client, asked.server_name, is_secure=asked.is_secure),
    )
    target = target_of(dry.upstream_head)
    if target and target != target_of(asked.head()):
        yield f"an endpoint would get: {asked.method} {target}"


def _refused(built: Built, told: Told) -> Iterator[str]:
    """The Problems for which requests are refused, or else the policy that does."""
    because = list(_closing(built, told))
    if not because and told.outcome == Outcome.ACCESS_REFUSED:
        because = [each for each in told.problems if each.code is Code.SHARED_HOST]
    for problem in because:
        yield f"because: {coded(problem)}"
        yield from change_of(problem)
    if not because and told.route is not None:
        name = _deciding(told, "answers ")
        if name:
            yield f"by {name}, at {rule_name(told, told.route)}"
            yield f"{TO_CHANGE}the request, or {name}"


def _closing(built: Built, told: Told) -> Iterator[Problem]:
    codes = {each.code for each in told.problems}
    for problem in told.problems:
        if problem.code in _CLOSING or (
            # Then the fault itself is another Problem.
            problem.code in _FAULTS and Code.INGRESS_CLOSED in codes
        ):
            yield problem
        elif problem.code in _OF_ONE_PATH and told.route is not None:
            ingress = built.memo.objects.ingresses.get((problem.namespace, problem.name))
            path = written_path(ingress, problem) if ingress is not None else None
            if path is None or (path.path or "/") == told.route.path:
                yield problem
    if built.snapshot.config.nginx.closed_by:
        for problem in built.all_problems():
            if problem.code is Code.CONFIG_MAP_KEY and problem.message.endswith(CLOSED):
                yield problem


def _redirected(told: Told) -> Iterator[str]:
    asked = told.asked
    if told.route is not None:
        yield f"by {_redirecting(told)}, at {rule_name(told, told.route)}"
    if _is_disbelieved(told):
        yield (
            f"a loop, if {asked.client} is a load balancer that ends TLS: it says that the client "
            "came over https (X-Forwarded-Proto), and is not believed"
        )
        yield f"{TO_CHANGE}trusted-proxies in the configuration must have {asked.client}"


def _is_disbelieved(told: Told) -> bool:
    """:return: whether a request is sent to https, though the client says that it came by that."""
    claims = {name.lower(): value.lower() for name, value in told.asked.fields}
    is_to_https = not told.asked.is_secure and told.redirect.startswith("https://")
    return is_to_https and claims.get("x-forwarded-proto") == "https"


def _redirecting(told: Told) -> str:
    """:return: the annotations that redirect, without their prefix, or else the policy."""
    return _deciding(told, "answers 3") or "a policy"


def _deciding(told: Told, verdict: str) -> str:
    """:return: the annotations of the policy with such a verdict, without their prefix, or it."""
    for each in told.verdicts:
        if each.verdict.startswith(verdict):
            return ", ".join(each.annotations).replace(PREFIX, "") or each.name
    return ""


def loop_hints(told: Told, redirects: list[str]) -> Iterator[str]:
    """
    Tell of redirects that lead back.

    :param redirects: the URLs that clients are led to, one after the other.
    """
    way = [told.asked.url]
    for url in redirects:
        is_back = any(_plain(url) == _plain(each) for each in way)
        way.append(url)
        if is_back:
            yield f"a loop: {' -> '.join(way)}"
            yield f"{TO_CHANGE}{_redirecting(told)}, so that it leads elsewhere"
            return
    if not _is_disbelieved(told):
        yield f"{TO_CHANGE}the URL to {told.redirect}, or what redirects ({_redirecting(told)})"


def next_url(asked: Asked, location: str) -> Asked | None:
    """:return: the request by which a client follows a redirect; None if it cannot."""
    if location.startswith("/"):
        location = f"{asked.scheme}://{asked.authority}{location}"
    try:
        return ask(location, "GET", (), asked.client)
    except NotAsked:
        return None


def _plain(url: str) -> tuple[str, str, str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower(), parts.path or "/", parts.query


# Regular expressions and canaries.


def _patterns(built: Built, candidates: Candidates, request: Request) -> Iterator[str]:
    """Tell where an Ingress makes regular expressions of the paths of others."""
    host = candidates.host
    if host is None or host.index is None:
        return
    authors = [
        rules.source for rules in built.memo.rules.sets.values() if host.name in rules.pattern_hosts
    ]
    if not authors:
        return
    taken, chosen = _taken(candidates, request), candidates.chosen
    owners = {(each.namespace, each.name) for each in authors}
    if taken is None and chosen is not None and chosen.ingress in owners:
        return
    names = ", ".join(
        placed(f"Ingress {each.namespace}/{each.name}", each.origin)
        for each in authors[:_MOST_LISTED]
    )
    namespaces = ", ".join(sorted({each.namespace for each in authors}))
    yield (
        f"the paths of namespace {namespaces} on {host.name or 'hosts without rules'} are regular "
        "expressions, matched from the beginning and without regard to case, because of "
        f"use-regex or rewrite-target of {names}"
    )
    if taken is not None:
        plain = f"{taken.route.path_type} {taken.route.path} of {'/'.join(taken.route.ingress)}"
        yield f"as plain paths, {plain} would decide"
        yield (
            f"{TO_CHANGE}the host of one of the two Ingresses, or the path of the other to an "
            "expression that goes first because it is longer"
        )


def _taken(candidates: Candidates, request: Request) -> RuleCandidate | None:
    """:return: the rule that would decide if all paths were plain, unless it does anyway."""
    path = request.path.decode("utf-8", "replace")
    best: RuleCandidate | None = None
    for each in candidates.rules:
        if _is_plain(each.route, path) and (
            best is None or len(each.route.path) > len(best.route.path)
        ):
            best = each
    return best if best is not None and not best.is_chosen else None


def _is_plain(route: Route, path: str) -> bool:
    kind = route.path_type
    return kind != "ImplementationSpecific" and plainly_matches(kind, route.path, path)


def _canaries(built: Built, candidates: Candidates) -> Iterator[str]:
    chosen = candidates.chosen
    if chosen is None or chosen.canaries is None:
        return
    for rule in chosen.canaries.rules:
        ingress = built.memo.objects.ingresses.get(rule.ingress)
        name = placed(
            f"Ingress {'/'.join(rule.ingress)}", ingress.origin if ingress is not None else None
        )
        takes = rule.canary.explain()
        if takes == "none":
            yield (
                f"the canary {name} takes no requests: its weight is 0, and it has neither header "
                "nor cookie"
            )
            yield f"{TO_CHANGE}canary-weight, canary-by-header or canary-by-cookie of the canary"
        else:
            yield f"the canary {name} takes {takes}"
