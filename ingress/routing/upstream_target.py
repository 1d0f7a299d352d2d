"""
The target that goes upstream on hosts where it can differ from the target received, and the
refusal of paths that rules and endpoints may read in different ways.
"""

from __future__ import annotations

from typing import Final

from ingress.errors import RequestError
from ingress.message import Request
from ingress.policy.policy import Policy
from ingress.routing.match import find_route
from ingress.routing.path import has_segments_to_resolve, other_readings
from ingress.routing.path_handling import PathHandling
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot

NOT_CANONICAL: Final = "The path has dot segments or runs of slashes."
OTHER_ACCESS: Final = "The path can be read as another one that has other access rules."


def upstream_target(request: Request, handling: PathHandling) -> bytes:
    """
    Make the target that goes upstream, unless a policy rewrites it.

    :param handling: the treatment of paths on the host.
    :return: the target as received, or with its canonical path.
    """
    target = request.target
    if handling.sends_canonical:
        path, question, query = target.partition(b"?")
        if has_segments_to_resolve(path):
            return request.path + question + query
    return target


def check_path(snapshot: Snapshot, request: Request, route: Route, handling: PathHandling) -> None:
    """
    Refuse a path that rules and endpoints may read in different ways.

    :param route: the route that the request matches.
    :param handling: the treatment of paths on the host.
    :raises RequestError: if the path is not canonical and has to be, or an endpoint may read it as
        one with other access rules.
    """
    if handling.refuses_others and has_segments_to_resolve(request.target.partition(b"?")[0]):
        raise RequestError(NOT_CANONICAL)
    if not handling.is_guarded:
        return
    readings = other_readings(upstream_target(request, handling).partition(b"?")[0])
    if readings:
        access = _access(route)
        for reading in readings:
            if _access(find_route(snapshot, request.host, reading, request)) != access:
                raise RequestError(OTHER_ACCESS)


def _access(route: Route | None) -> list[Policy]:
    """Return the policies of a route that decide who gets access."""
    return [] if route is None else [policy for policy in route.policies if policy.guards]
