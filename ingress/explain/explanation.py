"""
The explanation of one request: why it gets its answer, from the certificate to the endpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.endpoint import Endpoint, Upstream
from ingress.errors import RequestError
from ingress.exchange.client import Client
from ingress.explain.asked import Asked
from ingress.explain.candidates import Candidates, find_candidates
from ingress.explain.certificate import (
    certificate_for,
    certificate_hints,
)
from ingress.explain.dry_run import DryExchange, PolicyDecision, client_of, serve_assumed
from ingress.explain.heads import (
    FieldChanges,
    changes_between,
    field_pairs,
    response_changes,
    target_of,
)
from ingress.explain.hints import hints_of, loop_hints, next_url
from ingress.explain.places import Places, places_of
from ingress.explain.protocols import client_protocol, endpoint_protocol
from ingress.explain.related_problems import related_problems
from ingress.http1.request_head import parse_request_head
from ingress.kube.objects import Ingress
from ingress.message import Request
from ingress.policy.annotation import OWN_PREFIX, PREFIX
from ingress.policy.decision import Proceed
from ingress.policy.feature import RouteFeature
from ingress.problem import Origin, Problem
from ingress.routing.build import Built
from ingress.routing.match import find_passthrough
from ingress.routing.passthrough import Passthrough
from ingress.routing.route import Route
from ingress.routing.snapshot import ServerCertificate

MOST_REDIRECTS: Final = 5


@dataclass(frozen=True)
class Verdict:
    """What one feature of the rule did."""

    name: str
    sentence: str
    """What it is for."""

    verdict: str
    annotations: Mapping[str, str]
    """The annotations that it comes from, as the Ingress has them; empty for a default."""


@dataclass(frozen=True)
class Explanation:
    """
    Everything that decides about one request.

    `status` is None if the endpoint answers, and if something outside decides.
    """

    asked: Asked
    moment: datetime
    status: int | None
    outcome: str
    detail: str
    redirect: str
    certificate: ServerCertificate | None
    certificate_reason: str
    client: BelievedClient | None
    client_reason: str
    client_protocol: str
    """What the client's connection may speak, and what decides that."""

    endpoint_protocol: str
    """What the endpoint is spoken to in; empty if none is asked."""

    candidates: Candidates | None
    route: Route | None
    origin: Origin
    verdicts: tuple[Verdict, ...]
    undecided: tuple[str, ...]
    """Policies that something outside decides; the rest holds if they let the request pass."""

    upstream: Upstream | None
    upstream_fault: str
    endpoint: Endpoint | None
    """The endpoint that would be asked, if nothing else had happened before."""

    sent_target: str
    request_changes: FieldChanges
    response_changes: FieldChanges
    sent_head: bytes = field(repr=False)
    """The head that the endpoint gets, as HTTP/1.1 has it, secrets included; empty without one."""

    answer_head: bytes = field(repr=False)
    """The head that the client gets if an endpoint answers 200, or that of the proxy's answer."""

    settings: tuple[str, ...]
    problems: tuple[Problem, ...]
    places: Places
    """Where the rules of `candidates` stand, as far as it is known."""

    hints: tuple[str, ...]
    """What is near, and what would have to change for another answer."""

    passthrough: Passthrough | None = None
    """Who gets the connection as it is; None if TLS ends here, or there is none."""


def explain(
    built: Built,
    asked: Asked,
    *,
    problems: Iterable[Problem] | None = None,
    now: datetime | None = None,
    seed: int = 0,
) -> Explanation:
    """
    Explain why a request gets its answer, by serving it without sockets.

    :param built: what is served.
    :param problems: those of `built` with better lines, if they are known.
    :param now: the time of the request; the present if None.
    :param seed: of what is left to chance.
    """
    moment = now or datetime.now(UTC)
    snapshot = built.snapshot
    dry, open_policies = serve_assumed(
        snapshot, asked.head(), _client(built, asked), seed=seed, now=moment.timestamp()
    )
    request = _parse(built, asked)
    record = dry.records[-1] if dry.records else None
    route = record.route if record is not None else None
    candidates = find_candidates(snapshot, request) if request is not None else None
    client, client_reason = _believe(built, asked, request)
    certificate, certificate_reason = certificate_for(built, asked)
    answered = record is not None and dry.endpoint is None
    ingress = _ingress(built, route)
    upstream = None
    if route is not None and route.upstream is not None:
        upstream = snapshot.upstreams.get(route.upstream)
    endpoint = _named_endpoint(upstream, dry.endpoint)
    explanation = Explanation(
        asked=asked,
        moment=moment,
        status=record.status if answered and record is not None and not open_policies else None,
        outcome=str(record.outcome) if answered and record is not None else "",
        detail=record.detail if answered and record is not None else "",
        redirect=_location(dry) if answered else "",
        certificate=certificate,
        certificate_reason=certificate_reason,
        client=client,
        client_reason=client_reason,
        client_protocol=client_protocol(snapshot.config.limits, is_secure=asked.is_secure),
        endpoint_protocol=_with_header(endpoint_protocol(dry), endpoint),
        candidates=candidates,
        route=route,
        origin=ingress.origin if ingress is not None else Origin(),
        verdicts=tuple(_verdicts(route, dry.decisions, ingress)),
        undecided=tuple(policy.label for policy in open_policies),
        upstream=upstream,
        upstream_fault=_upstream_fault(built, route),
        endpoint=endpoint,
        sent_target=target_of(dry.upstream_head),
        request_changes=changes_between(asked.head(), dry.upstream_head)
        if dry.upstream_head
        else FieldChanges(),
        response_changes=response_changes(dry.answer) if not answered else FieldChanges(),
        sent_head=dry.upstream_head,
        answer_head=dry.answer.partition(b"\r\n\r\n")[0],
        settings=_settings(route),
        problems=related_problems(built, asked, request, candidates, route, problems=problems),
        places=places_of(built, routes_of(candidates)),
        hints=(),
    )
    passthrough = _passthrough(built, asked)
    if passthrough is not None:
        return passed_through(explanation, passthrough)
    return with_hints(built, explanation)


def _passthrough(built: Built, asked: Asked) -> Passthrough | None:
    """Find who gets the connection of a request."""
    if not asked.is_secure:
        return None
    return find_passthrough(built.snapshot, asked.server_name.encode("utf-8", "surrogateescape"))


def passed_through(explanation: Explanation, passthrough: Passthrough) -> Explanation:
    """:return: the explanation of a request of which nothing is seen but its connection."""
    client = explanation.client
    return replace(
        explanation,
        status=None,
        outcome="passed_through",
        detail=passthrough.refusal(b"" if client is None else client.address),
        redirect="",
        certificate=None,
        certificate_reason="the endpoint has it: TLS is passed through",
        verdicts=(),
        undecided=(),
        endpoint=None,
        client_protocol="",
        settings=(),
        passthrough=passthrough,
    )


def routes_of(candidates: Candidates | None) -> list[Route]:
    """:return: the rules that could have been met."""
    return [] if candidates is None else [each.route for each in candidates.rules]


def with_hints(built: Built, explanation: Explanation) -> Explanation:
    """:return: the same with its hints, which depend on everything else in it."""
    if explanation.passthrough is not None:
        return explanation
    request = _parse(built, explanation.asked)
    hints = list(hints_of(built, explanation, request))
    if explanation.redirect:
        hints += loop_hints(explanation, _redirects(built, explanation))
    hints += certificate_hints(built, explanation)
    return replace(explanation, hints=tuple(hints))


def _redirects(built: Built, explanation: Explanation) -> list[str]:
    """:return: where a client is led, one after the other, for as long as this proxy answers."""
    found, location, asked = list[str](), explanation.redirect, explanation.asked
    while location and location not in found and len(found) < MOST_REDIRECTS:
        found.append(location)
        following = next_url(asked, location)
        if following is None:
            break
        dry, open_policies = serve_assumed(
            built.snapshot, following.head(), _client(built, following)
        )
        location = "" if open_policies or dry.endpoint is not None else _location(dry)
        asked = following
    return found


def _client(built: Built, asked: Asked) -> Client:
    return client_of(built.snapshot, asked.client, asked.server_name, is_secure=asked.is_secure)


def _parse(built: Built, asked: Asked) -> Request | None:
    try:
        return parse_request_head(asked.head(), built.snapshot.config.limits)[0]
    except RequestError:
        return None


def _believe(
    built: Built, asked: Asked, request: Request | None
) -> tuple[BelievedClient | None, str]:
    if request is None:
        return None, ""
    config = built.snapshot.config
    client = _client(built, asked)
    believed = client.believed(request, config)
    if believed.is_trusted:
        return believed, "it is one of trusted-proxies, so its forwarded fields are believed"
    if client.names_clients_by(config):
        return believed, "it is believed about the address of its client alone (enable-real-ip)"
    return believed, "it is none of trusted-proxies, so its forwarded fields are not believed"


def _ingress(built: Built, route: Route | None) -> Ingress | None:
    return built.memo.objects.ingresses.get(route.ingress) if route is not None else None


def _verdicts(
    route: Route | None, decisions: Iterable[PolicyDecision], ingress: Ingress | None
) -> Iterable[Verdict]:
    if route is None:
        return
    written = dict(ingress.metadata.annotations) if ingress is not None else {}
    found = list(decisions)
    for policy in route.policies:
        decided = next((each for each in found if each.policy is policy), None)
        if decided is not None:
            verdict = _verdict(decided)
        elif policy.phases:
            verdict = "not asked, because the answer came before"
        else:
            verdict = "changes fields"
        yield Verdict(policy.label, policy.explain(), verdict, _annotations(policy, written))


def _annotations(feature: RouteFeature, written: Mapping[str, str]) -> dict[str, str]:
    """
    The annotations of an object that a feature reads; values that decide access stay hidden, and
    snippets, which may set fields to secrets.
    """
    names = [name if name.startswith(OWN_PREFIX) else PREFIX + name for name in feature.annotations]
    return {
        name: "(not shown)" if feature.guards or name.endswith("-snippet") else written[name]
        for name in names
        if name in written
    }


def _verdict(decided: PolicyDecision) -> str:
    decision = decided.decision
    if decided.is_assumed or decided.is_open:
        return "decided outside; taken to pass"
    if isinstance(decision, Answer):
        return f"answers {decision.status}"
    if isinstance(decision, Proceed):
        return _passing(decision)
    return "passes" if decision is None else "fails: what it decides is no decision"


def _passing(decision: Proceed) -> str:
    parts = []
    if decision.target is not None:
        parts.append(f"sends {decision.target.decode('latin-1')}")
    if decision.upstream is not None:
        namespace, service, port, *_ = decision.upstream
        parts.append(f"asks {namespace}/{service}{f':{port}' if port else ''}")
    if decision.request_edits:
        parts.append("changes fields of the request")
    if decision.response_edits:
        parts.append("changes fields of the response")
    return f"passes, {' and '.join(parts)}" if parts else "passes"


def _upstream_fault(built: Built, route: Route | None) -> str:
    if route is None or route.upstream is None:
        return ""
    return built.memo.upstreams.faults.get(route.upstream) or ""


def _named_endpoint(upstream: Upstream | None, asked: Endpoint | None) -> Endpoint | None:
    """:return: the endpoint as the Upstream has it: only the address of what was asked is known."""
    known = () if upstream is None else (*upstream.endpoints, *upstream.lingering)
    return next((each for each in known if asked is not None and each[:2] == asked[:2]), asked)


def _with_header(protocol: str, endpoint: Endpoint | None) -> str:
    if endpoint is None or not endpoint.proxy_protocol:
        return protocol
    return f"{protocol}, after a header of the PROXY protocol ({endpoint.proxy_protocol})"


def _settings(route: Route | None) -> tuple[str, ...]:
    if route is None:
        return ()
    policies = set(map(id, route.policies))
    return tuple(each.explain() for each in route.features if id(each) not in policies)


def _location(dry: DryExchange) -> str:
    return field_pairs(dry.answer).get("location", ("", ""))[1]
