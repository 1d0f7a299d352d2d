"""
The Service ports that rules lead to with the state of their endpoints, one row each: for
``/endpoints``, and for ``txingress endpoints``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ingress.admin.page import Query
from ingress.admin.paging import Window, filtered, page_steps
from ingress.admin.route_json import upstream_name
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.routing.build import Built
from ingress.steps import Steps
from ingress.telemetry.endpoint_state import EndpointState, EndpointStates

MAX_ENDPOINTS: Final = 1000
"""Endpoints of one Service port that are shown; the others are counted."""

_NO_STATE: Final = EndpointState()


def endpoint_row(
    key: UpstreamKey,
    endpoint: Endpoint,
    states: EndpointStates | None,
    *,
    is_terminating: bool = False,
) -> dict[str, Any]:
    """
    :param states: None where nothing is known of them.
    :return: one endpoint of a Service port, as plain values.
    """
    state = _NO_STATE if states is None else states.get(endpoint, _NO_STATE)
    word: str | None
    if states is None:
        word = None
    elif key in state.ejected_for:
        word = "ejected"
    elif key in state.unhealthy_for:
        word = "failing"
    else:
        word = "ok"
    return {
        "address": str(endpoint),
        "state": word,
        "terminating": is_terminating,
        "inFlight": state.in_flight if states is not None else None,
    }


def upstream_row(built: Built, upstream: Upstream, states: EndpointStates | None) -> dict[str, Any]:
    """
    :param states: None where nothing is known of them.
    :return: the row of a Service port, as plain values.
    """
    key = upstream.key
    check = built.snapshot.health_checks.get(key)
    return {
        "service": upstream_name(key),
        "fault": built.memo.upstreams.faults.get(key),
        "healthCheck": check.check.explain() if check is not None else None,
        "count": len(upstream.endpoints) + len(upstream.lingering),
        "terminating": len(upstream.lingering),
        "endpoints": [*endpoint_rows(upstream, states)][:MAX_ENDPOINTS],
    }


def endpoint_rows(upstream: Upstream, states: EndpointStates | None) -> Iterator[dict[str, Any]]:
    """Yield the endpoints of a Service port as plain values."""
    key = upstream.key
    for endpoint in upstream.endpoints[:MAX_ENDPOINTS]:
        yield endpoint_row(key, endpoint, states)
    for endpoint in upstream.lingering[:MAX_ENDPOINTS]:
        yield endpoint_row(key, endpoint, states, is_terminating=True)


def upstream_steps(built: Built, states: EndpointStates, query: Query) -> Steps[dict[str, Any]]:
    """
    Make the page of Service ports that a query asks for.

    :param states: those of all processes, with the health checks.
    :param query: with `paging.PAGING`; ``state`` leaves those that have an endpoint in this state.
    :raises PageError: if a parameter is wrong.
    """
    window = Window.of(query)
    wanted = query.choice("state", "", "ok", "failing", "ejected")
    upstreams = built.snapshot.upstreams

    def fits(key: UpstreamKey) -> bool:
        upstream = upstreams[key]
        if wanted and not any(row["state"] == wanted for row in endpoint_rows(upstream, states)):
            return False
        if window.contains(upstream_name(key)):
            return True
        return any(window.contains(str(each)) for each in upstream.endpoints)

    items = filtered(sorted(upstreams), fits)
    return page_steps(
        "endpoints", window, items, lambda key: upstream_row(built, upstreams[key], states)
    )
