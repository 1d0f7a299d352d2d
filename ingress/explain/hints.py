"""
What somebody needs to know first who did not expect an answer: what is near, what is wrong, and
what would have to change for another answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol
from urllib.parse import urlsplit

from ingress.config_map.reading import CLOSED
from ingress.endpoint import Endpoint, Upstream
from ingress.errors import Outcome
from ingress.explain.asked import Asked, NotAsked, ask
from ingress.explain.candidates import (
    Candidates,
    RuleCandidate,
    nearest_hosts,
    remedy_for,
    same_path_elsewhere,
)
from ingress.explain.dry_run import client_of, serve_assumed
from ingress.explain.heads import target_of
from ingress.explain.places import Places
from ingress.kube.objects import Ingress, ObjectKey
from ingress.message import Request
from ingress.policy.annotation import PREFIX
from ingress.problem import Origin, Problem, coded
from ingress.problem_code import Code
from ingress.routing.build import Built
from ingress.routing.route import Route

_CLOSING: Final = frozenset(
    {Code.ANNOTATION_CLOSES, Code.INGRESS_CLOSED, Code.PATH_PATTERN, Code.HOST_TAKEN}
)
_LEAVING_OUT: Final = frozenset(
    {Code.CANARY_IDLE, Code.CATCH_ALL_REFUSED, Code.HOST_TAKEN, Code.PATH_IMPOSSIBLE}
)
"""Why an Ingress that names a host has no rule there."""

_MOST_REDIRECTS: Final = 10
_MOST_LISTED: Final = 3
_SOMEBODY: Final = Endpoint("192.0.2.1", 80)
"""An endpoint that nothing is ever sent to (RFC 5737)."""


class Decided(Protocol):
    """What one policy of the rule did."""

    @property
    def name(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def annotations(self) -> Mapping[str, str]: ...


class Told(Protocol):
    """What has been found out about a request."""

    @property
    def asked(self) -> Asked: ...
    @property
    def status(self) -> int | None: ...
    @property
    def outcome(self) -> str: ...
    @property
    def redirect(self) -> str: ...
    @property
    def route(self) -> Route | None: ...
    @property
    def verdicts(self) -> Sequence[Decided]: ...
    @property
    def candidates(self) -> Candidates | None: ...
    @property
    def upstream_fault(self) -> str: ...
    @property
    def problems(self) -> tuple[Problem, ...]: ...
    @property
    def places(self) -> Places: ...


def hints_of(built: Built, told: Told, request: Request | None) -> Iterator[str]:
    """Yield sentences, the most important first."""
    if request is None:
        return
    candidates = told.candidates
    if told.route is None and candidates is not None and told.status == 404:
        yield from _not_found(built, told, candidates, request)
    elif told.outcome == Outcome.NO_ENDPOINT:
        yield from _no_endpoint(told)
        yield from _would_get(built, told)
    elif told.status is not None and told.status >= 400:
        yield from _closed(built, told)
    elif told.redirect:
        yield from _redirected(told)
    if candidates is not None:
        yield from _patterns(built, candidates, request)
        yield from _canaries(built, candidates)


def placed(name: str, origin: Origin | None) -> str:
    """:return: the name with the place, if that is known."""
    return f"{name} ({origin})" if origin is not None and origin.file else name


def _rule(told: Told, route: Route) -> str:
    rule = f"{route.path_type} {route.path} of Ingress {'/'.join(route.ingress)}"
    return placed(rule, told.places.get(route.identity))


# 404.


def _not_found(built: Built, told: Told, candidates: Candidates, request: Request) -> Iterator[str]:
    host = request.host.decode("ascii", "replace")
    if candidates.host is None:
        yield from _unknown_host(built, told, host, request)
    else:
        nearest = next((each for each in candidates.rules if not each.is_chosen), None)
        if nearest is None:
            yield f"the host {host} has no rule with a path"
        else:
            yield f"nearest: {_rule(told, nearest.route)}: {nearest.reason}"
            yield f"to change: {remedy_for(nearest.route, request.path)}"
    for other in same_path_elsewhere(built.snapshot, request.path):
        if other.host != host:
            yield f"this path has a rule on another host, {other.host}: {_rule(told, other)}"


def _unknown_host(built: Built, told: Told, host: str, request: Request) -> Iterator[str]:
    yield f"no Ingress that is served has a rule for the host {host}"
    foreign = [each for each in _foreign(built) if host in _hosts_of(each)]
    for each in foreign[:_MOST_LISTED]:
        name = "/".join((each.metadata.namespace, each.metadata.name))
        yield (
            f"Ingress {placed(name, each.origin)} has it, but is of the class "
            f"{each.spec.ingress_class_name or '(none)'}, which is not served here: set its "
            "ingressClassName, or change the key class of the configuration"
        )
    left_out = [each for each in told.problems if each.code in _LEAVING_OUT]
    yield from (f"because: {coded(each)}" for each in left_out[:_MOST_LISTED])
    names = nearest_hosts(built.snapshot, request.host)
    if names and not left_out:
        yield f"similar hosts have rules: {', '.join(names)}"
    elif not (foreign or left_out):
        yield f"to change: an Ingress with a rule whose host is {host}"
    counts = built.foreign_classes
    if counts and not (foreign or left_out):
        classes = ", ".join(f"{name or '(none)'} {count}" for name, count in counts.items())
        yield f"Ingresses of other classes are not served: {classes}"


def _foreign(built: Built) -> Iterator[Ingress]:
    ours = built.memo.rules.sets
    for name, ingress in built.memo.objects.ingresses.items():
        if ("Ingress", *name) not in ours:
            yield ingress


def owners_of_host(built: Built, host: str) -> set[ObjectKey]:
    """:return: the Ingresses that name a host, whether or not they are served there."""
    ingresses = built.memo.objects.ingresses
    return {("Ingress", *name) for name, each in ingresses.items() if host in _hosts_of(each)}


def _hosts_of(ingress: Ingress) -> set[str]:
    return {(rule.host or "").lower() for rule in ingress.spec.rules}


# 503 and others.


def _no_endpoint(told: Told) -> Iterator[str]:
    route = told.route
    if route is None or route.upstream is None:
        return
    namespace, service = route.upstream[:2]
    fault = told.upstream_fault.removesuffix("; answered with 503")
    if fault:
        yield fault
    yield f"named by {_rule(told, route)}"
    if "does not exist" in fault:
        yield f"to look: kubectl -n {namespace} get service {service}"
    elif "has no port" in fault:
        yield "to change: the port of the backend in the Ingress, or of the Service"
    else:
        slices = f"endpointslices -l kubernetes.io/service-name={service}"
        yield f"to look: kubectl -n {namespace} get {slices}"


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


def _closed(built: Built, told: Told) -> Iterator[str]:
    """The Problems for which requests are refused."""
    for problem in told.problems:
        if problem.code in _CLOSING:
            yield f"because: {coded(problem)}"
    if built.snapshot.config.nginx.closed_by:
        for problem in built.all_problems():
            if problem.code is Code.CONFIG_MAP_KEY and problem.message.endswith(CLOSED):
                yield f"because: {coded(problem)}"


def _redirected(told: Told) -> Iterator[str]:
    asked = told.asked
    if told.route is not None:
        yield f"by {_redirecting(told)}, at {_rule(told, told.route)}"
    claims = {name.lower(): value.lower() for name, value in asked.fields}
    if asked.is_secure or not told.redirect.startswith("https://"):
        return
    if claims.get("x-forwarded-proto") == "https":
        yield (
            f"a loop, if {asked.client} is a load balancer that ends TLS: it says that the client "
            "came over https (X-Forwarded-Proto), and is not believed"
        )
        yield f"to change: trusted-proxies in the configuration must have {asked.client}"


def _redirecting(told: Told) -> str:
    """:return: the annotations that redirect, without their prefix, or else the policy."""
    for each in told.verdicts:
        if each.verdict.startswith("answers 3"):
            return ", ".join(each.annotations).replace(PREFIX, "") or each.name
    return "a policy"


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
            yield f"to change: {_redirecting(told)}, so that it leads elsewhere"
            return


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


def _taken(candidates: Candidates, request: Request) -> RuleCandidate | None:
    """:return: the rule that would decide if all paths were plain, unless it does anyway."""
    path = request.path.decode("utf-8", "replace")
    best: RuleCandidate | None = None
    for each in candidates.rules:
        if _matches_plainly(each.route, path) and (
            best is None or len(each.route.path) > len(best.route.path)
        ):
            best = each
    return best if best is not None and not best.is_chosen else None


def _matches_plainly(route: Route, path: str) -> bool:
    written = route.path
    if route.path_type == "Exact":
        return path == written
    if route.path_type == "Prefix":
        return path == written.rstrip("/") or path.startswith(f"{written.rstrip('/')}/")
    return False


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
                "nor cookie; to change: canary-weight, canary-by-header or canary-by-cookie"
            )
        else:
            yield f"the canary {name} takes {takes}"
