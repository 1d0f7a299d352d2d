"""
The target that goes upstream where it can differ from the target received, and the refusal of
paths that rules and endpoints may read in different ways.
"""

from __future__ import annotations

from typing import Final

from ingress.errors import RequestError
from ingress.message import Request
from ingress.policy.policy import Policy
from ingress.policy.rewrite import Rewrite, is_sound_path
from ingress.routing.match import find_captures, find_route
from ingress.routing.path import has_segments_to_resolve, other_readings
from ingress.routing.path_handling import PathHandling
from ingress.routing.pattern_index import last_match
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot

NOT_CANONICAL: Final = "The path has dot segments or runs of slashes."
OTHER_ACCESS: Final = "The path can be read as another one that has other access rules."


REWRITTEN: Final = "The path that the endpoint would get has dot segments or a broken escape."

_MAX_KEPT: Final = 256
"""Bytes of a path that is kept with the one that it was made from."""


def route_target(request: Request, route: Route) -> bytes:
    """
    Make the target that goes upstream, unless a policy decides it.

    :param route: the route that the request matches.
    :raises RequestError: if the path would be one that endpoints may read in several ways.
    """
    if route.rewrite is not None:
        return _rewritten(request, route, route.rewrite)
    return request.target if route.paths is None else upstream_target(request, route.paths)


def _rewritten(request: Request, route: Route, rewrite: Rewrite) -> bytes:
    match = last_match(route, request.path)
    path = None if match is None else match.rewritten
    if path is None:
        path = _rewritten_path(request, route, rewrite)
        if match is not None and len(path) <= _MAX_KEPT:
            match.rewritten = path
    if request.target == request.path:
        return path
    _, _, query = request.target.partition(b"?")
    return path + b"?" + query if query else path


def _rewritten_path(request: Request, route: Route, rewrite: Rewrite) -> bytes:
    """
    :raises RequestError: if endpoints may read the path in several ways.
    """
    template = rewrite.target
    path = template.texts[0]
    if template.groups:
        captures = find_captures(route, request.path)
        for index, group in enumerate(template.groups):
            if group <= len(captures):
                path += captures[group - 1] or b""
            path += template.texts[index + 1]
    if path[:1] != b"/" or path[1:2] == b"/":
        # Two slashes would name a host for some endpoints.
        path = b"/" + path.lstrip(b"/")
    if not is_sound_path(path):
        raise RequestError(REWRITTEN)
    return path


def upstream_target(request: Request, handling: PathHandling) -> bytes:
    """
    Make the target that goes upstream, unless a policy rewrites it.

    :param handling: the treatment of paths on the host.
    :return: the target as received, or with its canonical path.
    """
    target = request.target
    if handling.sends_canonical and target != request.path:
        path, question, query = target.partition(b"?")
        if has_segments_to_resolve(path):
            return request.path + question + query
    return target


def path_readings(target: bytes, handling: PathHandling) -> tuple[bytes, ...]:
    """
    :param target: the target that goes upstream.
    :param handling: the treatment of paths on the host.
    :return: the other paths that endpoints may read in it; none on a host that guards nothing.
    :raises RequestError: as `check_path`.
    """
    return other_readings(target.partition(b"?")[0]) if handling.is_guarded else ()


def check_path(snapshot: Snapshot, request: Request, route: Route, handling: PathHandling) -> None:
    """
    Refuse a path that rules and endpoints may read in different ways.

    :param route: the route that the request matches.
    :param handling: the treatment of paths on the host.
    :raises RequestError: if the path is not canonical and has to be, or an endpoint may read it as
        one with other access rules.
    """
    if request.target == request.path:
        # Canonical as it is, and without a query: as most requests are.
        readings = other_readings(request.path) if handling.is_guarded else ()
    else:
        if handling.refuses_others and has_segments_to_resolve(request.target.partition(b"?")[0]):
            raise RequestError(NOT_CANONICAL)
        if not handling.is_guarded:
            return
        readings = path_readings(upstream_target(request, handling), handling)
    if readings:
        access = _access(route)
        for reading in readings:
            if _access(find_route(snapshot, request.host, reading, request)) != access:
                raise RequestError(OTHER_ACCESS)


def _access(route: Route | None) -> list[Policy]:
    """Return the policies of a route that decide who gets access."""
    return [] if route is None else [policy for policy in route.policies if policy.guards]
