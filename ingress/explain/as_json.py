"""
An explanation as plain values, for JSON; docs/command.md has the schema.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ingress.explain.as_text import summary
from ingress.explain.explanation import Explanation
from ingress.explain.heads import FieldChanges, shown_field
from ingress.problem import Origin, coded
from ingress.routing.route import Route


def as_json(explanation: Explanation) -> dict[str, Any]:
    """:return: values that `json.dumps` takes; a name that has no value is None or empty."""
    asked, route = explanation.asked, explanation.route
    return {
        "request": {
            "method": asked.method,
            "url": asked.url,
            "client": asked.client,
            "headers": [list(shown_field(*pair)) for pair in asked.fields],
        },
        "summary": summary(explanation),
        "status": explanation.status,
        "outcome": explanation.outcome or None,
        "detail": explanation.detail or None,
        "redirect": explanation.redirect or None,
        "undecided": list(explanation.undecided),
        "certificate": _certificate(explanation),
        "client": _client(explanation),
        "hosts": _hosts(explanation),
        "rules": _rules(explanation),
        "ingress": "/".join(route.ingress) if route is not None else None,
        "file": explanation.origin.file or None,
        "line": explanation.origin.line or None,
        "host": route.host if route is not None else None,
        "path": route.path if route is not None else None,
        "pathType": route.path_type if route is not None else None,
        "policies": [
            {
                "name": verdict.name,
                "verdict": verdict.verdict,
                "sentence": verdict.sentence,
                "annotations": dict(verdict.annotations),
            }
            for verdict in explanation.verdicts
        ],
        "upstream": _upstream(route),
        "upstreamFault": explanation.upstream_fault or None,
        "endpoints": _endpoints(explanation),
        "endpoint": str(explanation.endpoint) if explanation.endpoint is not None else None,
        "sent": {
            "protocol": explanation.endpoint_protocol or None,
            "target": explanation.sent_target or None,
            "headers": _changes(explanation.request_changes),
        },
        "response": {"headers": _changes(explanation.response_changes)},
        "settings": list(explanation.settings),
        "problems": [coded(problem) for problem in explanation.problems],
        "hints": list(explanation.hints),
        "passthrough": None if explanation.passthrough is None else explanation.passthrough.shown(),
    }


def _upstream(route: Route | None) -> str | None:
    return None if route is None or route.upstream is None else route.upstream.full_name


def _certificate(explanation: Explanation) -> dict[str, Any] | None:
    certificate = explanation.certificate
    if not explanation.asked.is_secure:
        return None
    if certificate is None:
        return {"secret": None, "reason": explanation.certificate_reason}
    return {
        "secret": "/".join(certificate.identity.secret),
        "names": list(certificate.names),
        "notBefore": _moment(certificate.not_before),
        "notAfter": _moment(certificate.not_after),
        "reason": explanation.certificate_reason,
    }


def _client(explanation: Explanation) -> dict[str, Any] | None:
    client = explanation.client
    if client is None:
        return None
    return {
        "address": client.address.decode("ascii", "replace"),
        "scheme": "https" if client.is_secure else "http",
        "host": client.authority.decode("ascii", "replace"),
        "trusted": client.is_trusted,
        "reason": explanation.client_reason,
        "protocol": explanation.client_protocol,
    }


def _hosts(explanation: Explanation) -> list[dict[str, Any]]:
    candidates = explanation.candidates
    if candidates is None:
        return []
    return [
        {
            "kind": str(each.kind),
            "host": each.name,
            "exists": each.exists,
            "chosen": each.is_chosen,
            "reason": each.reason,
        }
        for each in candidates.hosts
    ]


def _rules(explanation: Explanation) -> list[dict[str, Any]]:
    candidates = explanation.candidates
    if candidates is None:
        return []
    return [
        {
            "path": each.route.path,
            "pathType": each.route.path_type,
            "ingress": "/".join(each.route.ingress),
            "upstream": _upstream(each.route),
            "chosen": each.is_chosen,
            "reason": each.reason,
            "file": explanation.places.get(each.route.identity, Origin()).file or None,
            "line": explanation.places.get(each.route.identity, Origin()).line or None,
        }
        for each in candidates.rules
    ]


def _endpoints(explanation: Explanation) -> list[dict[str, Any]]:
    upstream = explanation.upstream
    if upstream is None:
        return []
    states = [(each, "ready") for each in upstream.endpoints]
    states += [(each, "terminating") for each in upstream.lingering]
    return [
        {"address": str(each), "state": state, "picked": each == explanation.endpoint}
        for each, state in states
    ]


def _changes(changes: FieldChanges) -> dict[str, Any]:
    return {
        "added": [list(pair) for pair in changes.added],
        "changed": [list(pair) for pair in changes.changed],
        "removed": list(changes.removed),
    }


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
