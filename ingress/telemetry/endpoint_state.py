"""
The state of an endpoint, in all processes together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ingress.endpoint import Endpoint, UpstreamKey


class EndpointState(NamedTuple):
    in_flight: int = 0
    """Requests that the endpoint has not answered yet."""

    ejected_for: frozenset[UpstreamKey] = frozenset()
    """The Upstreams for which some process has ejected the endpoint, or is trying it again."""

    unhealthy_for: frozenset[UpstreamKey] = frozenset()
    """The Upstreams for which it fails its health checks."""

    http2_connections: int = 0
    """Connections in HTTP/2 that are open to it."""

    http2_streams: int = 0
    """Streams that are open on them."""


EndpointStates = Mapping[Endpoint, EndpointState]
"""
The states of all endpoints that have requests in flight or connections in HTTP/2, or are ejected.
"""


def together(states: Iterable[EndpointStates]) -> EndpointStates:
    """:param states: those of each process."""
    total: dict[Endpoint, EndpointState] = {}
    for of_one in states:
        for endpoint, state in of_one.items():
            before = total.get(endpoint, _NOTHING)
            total[endpoint] = EndpointState(
                before.in_flight + state.in_flight,
                before.ejected_for | state.ejected_for,
                http2_connections=before.http2_connections + state.http2_connections,
                http2_streams=before.http2_streams + state.http2_streams,
            )
    return total


def with_unhealthy(
    states: EndpointStates, unhealthy: Iterable[tuple[UpstreamKey, Endpoint]]
) -> EndpointStates:
    """:param unhealthy: the endpoints that fail their health checks, each with its Upstream."""
    total = dict(states)
    for key, endpoint in unhealthy:
        before = total.get(endpoint, _NOTHING)
        total[endpoint] = before._replace(unhealthy_for=before.unhealthy_for | {key})
    return total


_NOTHING = EndpointState()
