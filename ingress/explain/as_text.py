"""
An explanation as text, for people under stress: the answer first, then the reasons in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ingress.explain.candidates import HostCandidate, HostKind
from ingress.explain.explanation import Explanation
from ingress.explain.heads import FieldChanges
from ingress.explain.told import placed
from ingress.problem import Origin, coded, printable
from ingress.routing.route import Route

_WIDTH = 14


def as_text(explanation: Explanation) -> str:
    """:return: several lines, the last one with its end."""
    lines = [*_answer(explanation), ""]
    for label, those in _sections(explanation):
        for index, line in enumerate(those):
            lines.append(f"{label if not index else '':<{_WIDTH}}{line}".rstrip())
    return "".join(f"{printable(line)}\n" for line in lines)


def summary(explanation: Explanation) -> str:
    """:return: the answer in one line."""
    if explanation.undecided:
        rest = _outcome(explanation)
        return f"undecidable: {', '.join(explanation.undecided)} decides; if allowed: {rest}"
    return _outcome(explanation)


def _outcome(explanation: Explanation) -> str:
    passed = explanation.passthrough
    if passed is not None:
        if explanation.detail:
            return f"the connection is closed: {explanation.detail}"
        service = "" if passed.upstream is None else passed.upstream.full_name
        return (
            f"TLS is passed through to {service}, as Ingress {'/'.join(passed.ingress)} says: its "
            "endpoint decides about the request"
        )
    if explanation.endpoint is not None:
        route = explanation.route
        service = "" if route is None else f" of {_service(route)}"
        return f"the endpoint {explanation.endpoint}{service} answers"
    text = f"{explanation.status} {explanation.outcome}".removeprefix("None ")
    if explanation.redirect:
        text += f", to {explanation.redirect}"
    return f"{text}: {explanation.detail}" if explanation.detail else text


def _answer(explanation: Explanation) -> Iterator[str]:
    asked = explanation.asked
    yield f"{asked.method} {asked.url} from {asked.client}"
    yield f"-> {summary(explanation)}"
    for hint in explanation.hints:
        yield f"   {hint}"


def _sections(explanation: Explanation) -> Iterator[tuple[str, Iterable[str]]]:
    yield "certificate", _certificate(explanation)
    yield "client", _client(explanation)
    if explanation.candidates is not None:
        yield "host", map(_host, _worth_telling(explanation.candidates.hosts))
        yield "rules", _rules(explanation)
    yield "Ingress", _ingress(explanation)
    yield "policies", _policies(explanation)
    yield "endpoints", _endpoints(explanation)
    if explanation.endpoint is not None:
        yield "to endpoint", _request(explanation)
        yield "to client", _changes(explanation.response_changes)
    yield "settings", explanation.settings
    yield "problems", map(coded, explanation.problems)


def _certificate(explanation: Explanation) -> Iterator[str]:
    if not explanation.asked.is_secure:
        yield "none: this is not over TLS"
        return
    certificate = explanation.certificate
    if certificate is None:
        yield explanation.certificate_reason
        return
    secret = "/".join(certificate.identity.secret)
    names = ", ".join(certificate.names)
    begin, end = certificate.not_before, certificate.not_after
    yield f"{secret} for {names}, from {begin:%Y-%m-%d} to {end:%Y-%m-%d}"
    yield explanation.certificate_reason


def _client(explanation: Explanation) -> Iterator[str]:
    client = explanation.client
    if client is None:
        return
    scheme = "https" if client.is_secure else "http"
    address = client.address.decode("ascii", "replace")
    yield f"{address} over {scheme}; {explanation.client_reason}"
    if explanation.client_protocol:
        yield explanation.client_protocol


def _worth_telling(hosts: Sequence[HostCandidate]) -> Iterator[HostCandidate]:
    """Leave out what there is not, unless nothing was found."""
    is_found = any(each.is_chosen for each in hosts)
    yield from (each for each in hosts if each.exists or not is_found)


def _host(candidate: HostCandidate) -> str:
    name = candidate.name or "hosts that no rule names"
    if candidate.kind is HostKind.ANY and not candidate.exists:
        return f"{_mark(candidate.is_chosen)} {name}: there is no rule without a host"
    return f"{_mark(candidate.is_chosen)} {name}: {candidate.reason}"


def _rules(explanation: Explanation) -> Iterator[str]:
    candidates = explanation.candidates
    if candidates is None:
        return
    for rule in candidates.rules:
        route = rule.route
        path = (
            "default backend"
            if candidates.host and route is candidates.host.default
            else (f"{route.path_type} {route.path}")
        )
        owner = placed("/".join(route.ingress), explanation.places.get(route.identity))
        yield f"{_mark(rule.is_chosen)} {path} of {owner}: {rule.reason}"
    if candidates.others:
        yield f"  and {candidates.others} more that do not match"


def _ingress(explanation: Explanation) -> Iterator[str]:
    if explanation.route is not None:
        yield _placed("/".join(explanation.route.ingress), explanation.origin)


def _placed(name: str, origin: Origin) -> str:
    return f"{name}, in {origin}" if origin.file else name


def _policies(explanation: Explanation) -> Iterator[str]:
    for verdict in explanation.verdicts:
        yield f"{verdict.name}: {verdict.verdict}. {verdict.sentence}"
        for name, value in verdict.annotations.items():
            yield f"  {name}: {value}"


def _endpoints(explanation: Explanation) -> Iterator[str]:
    route, upstream = explanation.route, explanation.upstream
    if route is None:
        return
    yield _service(route)
    if explanation.upstream_fault:
        yield f"  {explanation.upstream_fault}"
    if upstream is not None:
        for endpoint in upstream.endpoints:
            yield f"{_mark(endpoint == explanation.endpoint)} {endpoint}: ready"
        for endpoint in upstream.lingering:
            yield f"{_mark(endpoint == explanation.endpoint)} {endpoint}: terminating, for sessions"
        if endpoint_is_elsewhere(explanation):
            yield f"> {explanation.endpoint}: of another Service, as a policy says"


def endpoint_is_elsewhere(explanation: Explanation) -> bool:
    """:return: whether the endpoint that is asked is none of the rule's own Service."""
    endpoint, upstream = explanation.endpoint, explanation.upstream
    if endpoint is None or upstream is None:
        return endpoint is not None
    return endpoint not in (*upstream.endpoints, *upstream.lingering)


def _service(route: Route) -> str:
    return "no Service" if route.upstream is None else route.upstream.full_name


def _request(explanation: Explanation) -> Iterator[str]:
    yield explanation.endpoint_protocol
    yield f"{explanation.asked.method} {explanation.sent_target}"
    yield from _changes(explanation.request_changes)


def _changes(changes: FieldChanges) -> Iterator[str]:
    yield from (f"+ {name}: {value}" for name, value in changes.added)
    yield from (f"~ {name}: {value}" for name, value in changes.changed)
    yield from (f"- {name}" for name in changes.removed)


def _mark(is_chosen: bool) -> str:
    return ">" if is_chosen else " "
