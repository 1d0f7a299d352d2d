"""
Why a request would get its answer at this moment: for ``/explain``.

The reasons are those of `ingress.explain`, which serves the request without sockets. What only the
running process knows is added as ``live``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, Final

from ingress.admin.endpoints import MAX_ENDPOINTS, endpoint_rows
from ingress.admin.page import PageError, Query
from ingress.explain.as_json import as_json
from ingress.explain.as_text import as_text
from ingress.explain.asked import Asked, NotAsked, ask
from ingress.explain.explanation import Explanation, explain, with_hints
from ingress.policy.client_limits import ClientLimits
from ingress.policy.limiter import LimitLevels
from ingress.problem import Problem
from ingress.problem_log import Found
from ingress.routing.build import Built
from ingress.telemetry.endpoint_state import EndpointStates

PARAMETERS: Final = frozenset({"client", "header", "method", "url"})
REPEATABLE: Final = frozenset({"header"})


def asked_of(query: Query) -> Asked:
    """
    :return: the request that a query is about.
    :raises PageError: if no client could send it.
    """
    url, client = query.text("url"), query.text("client") or "127.0.0.1"
    if not url:
        raise PageError(400, "url is missing: a URL such as https://shop.example/cart is accepted")
    try:
        ip_address(client)
    except ValueError:
        raise PageError(400, "client: an IP address is accepted") from None
    try:
        # A form sends the fields that were left empty as well.
        headers = tuple(filter(None, query.all("header")))
        return ask(url, query.text("method") or "GET", headers, client)
    except NotAsked as error:
        raise PageError(400, str(error)) from None


def explained(
    built: Built,
    asked: Asked,
    found: Callable[[Problem], Found | None],
    reading: Iterable[Problem] = (),
) -> Explanation:
    """
    Explain a request. This may take some tenths of a second if there are many rules.

    :param reading: Problems of what `built` was made of.
    :param found: gives the places of Problems as they are known.
    """
    explanation = explain(built, asked, problems=dict.fromkeys((*reading, *built.all_problems())))
    placed = tuple(_placed(each, found(each)) for each in explanation.problems)
    return with_hints(built, replace(explanation, problems=placed))


def _placed(problem: Problem, found: Found | None) -> Problem:
    return problem if found is None else replace(problem, origin=found.origin)


def limit_rows(
    explanation: Explanation, levels: LimitLevels | None, now: float
) -> list[dict[str, Any]]:
    """
    :param levels: the state of limits; None if nobody knows it.
    :param now: in seconds, by the clock of requests.
    :return: how full the limits of the rule are for this client.
    """
    route, client = explanation.route, explanation.client
    if route is None or client is None or levels is None:
        return []
    return [
        {"limit": limit, "used": used, "most": most}
        for policy in route.policies
        if isinstance(policy, ClientLimits)
        for limit, used, most in policy.levels(client.address, levels, now)
    ]


def explanation_value(
    explanation: Explanation,
    *,
    generation: int,
    states: EndpointStates,
    exchanges: Sequence[Mapping[str, Any]] = (),
    limits: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """
    :param generation: the number of the Snapshot.
    :param states: those of all endpoints.
    :param exchanges: the last ones of the rule, as rows.
    :param limits: how full the limits of this client are.
    :return: the explanation as plain values.
    """
    upstream = explanation.upstream
    endpoints = [] if upstream is None else list(endpoint_rows(upstream, states))
    return as_json(explanation) | {
        "text": as_text(explanation),
        "live": {
            "generation": generation,
            "endpoints": endpoints[:MAX_ENDPOINTS],
            "limits": list(limits),
            "exchanges": list(exchanges),
        },
    }
