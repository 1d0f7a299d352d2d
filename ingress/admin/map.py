"""
The map of the page: hosts with their paths, each with its Service and the endpoints of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from ingress.admin.certificates import certificate_row
from ingress.admin.endpoints import endpoint_rows
from ingress.admin.route_json import upstream_name
from ingress.admin.routes import ANY_HOST, place_of
from ingress.routing.build import Built
from ingress.routing.match import find_certificate
from ingress.routing.route import Route, RouteLabels
from ingress.routing.snapshot import VirtualHost
from ingress.steps import STRIDE, Steps
from ingress.telemetry.endpoint_state import EndpointStates

HOSTS: Final = 20
"""Hosts of one page of the map."""

PATHS: Final = 25
"""Paths of a host that are shown; `more` counts the others."""

ENDPOINTS: Final = 6
"""Endpoints of a Service that are shown, those that are not ok first."""

RatesOf = Callable[[RouteLabels], Mapping[str, Any]]
"""The rates of a rule."""


class MapQuery(NamedTuple):
    """What is looked for."""

    text: str = ""
    """What a host, one of its paths, Services or Ingresses contains, in lower case."""

    host: str | None = None
    """The name of a VirtualHost, in place of `text`."""

    offset: int = 0


def map_steps(
    built: Built, states: EndpointStates, rates_of: RatesOf, query: MapQuery, now: datetime
) -> Steps[dict[str, Any]]:
    """
    Make one page of the map.

    :param states: those of all processes, with the health checks.
    """
    hosts = built.snapshot.virtual_hosts()
    hosts.sort(key=lambda host: (not host.name, host.name))
    total, rows = 0, []
    for count, host in enumerate(hosts):
        if _fits(host, query):
            if query.offset <= total < query.offset + HOSTS:
                rows.append(_host(built, host, states, rates_of, query, now))
                yield
            total += 1
        if count % STRIDE == STRIDE - 1:
            yield
    return {
        "hosts": len(hosts),
        "total": total,
        "offset": query.offset,
        "limit": HOSTS,
        "text": query.host if query.host is not None else query.text,
        "map": rows,
    }


def _fits(host: VirtualHost, query: MapQuery) -> bool:
    if query.host is not None:
        return host.name == query.host
    text = query.text
    if not text or text in (host.name or ANY_HOST):
        return True
    return any(_route_fits(route, text) for route in host.routes())


def _route_fits(route: Route, text: str) -> bool:
    if text in route.path.lower() or text in "/".join(route.ingress).lower():
        return True
    return route.upstream is not None and text in upstream_name(route.upstream).lower()


def _host(
    built: Built,
    host: VirtualHost,
    states: EndpointStates,
    rates_of: RatesOf,
    query: MapQuery,
    now: datetime,
) -> dict[str, Any]:
    routes = [each for route in host.routes() for each in (route, *route.canary_routes)]
    if query.text and query.text not in host.name:
        routes.sort(key=lambda route: not _route_fits(route, query.text))
    certificate = find_certificate(built.snapshot, host.name) if host.name else None
    return {
        "host": host.name or ANY_HOST,
        "certificate": None
        if certificate is None
        else certificate_row((host.name, certificate), now),
        "paths": [
            _path(built, route, states, rates_of, is_default=route is host.default)
            for route in routes[:PATHS]
        ],
        "more": max(0, len(routes) - PATHS),
    }


def _path(
    built: Built, route: Route, states: EndpointStates, rates_of: RatesOf, *, is_default: bool
) -> dict[str, Any]:
    key = route.upstream
    upstream = None if key is None else built.snapshot.upstreams.get(key)
    rows = sorted(
        () if upstream is None else endpoint_rows(upstream, states),
        key=lambda row: row["state"] == "ok",
    )
    if route.canary_rule is not None:
        kind = "canary"
    else:
        kind = "default backend" if is_default else route.path_type
    return {
        "path": route.path,
        "type": kind,
        "ingress": "/".join(route.ingress),
        **place_of(built, route),
        "upstream": None if key is None else upstream_name(key),
        "fault": None if key is None else built.memo.upstreams.faults.get(key),
        "endpoints": rows[:ENDPOINTS],
        "moreEndpoints": max(0, len(rows) - ENDPOINTS),
        "rates": rates_of(route.labels),
    }
