"""
The choice between a rule's own Service and its canaries, for each request.

The order is that of ingress-nginx (docs/compatibility.md, section 2.3):

1. A session with the rule's own Service stays there, and one with a canary stays with it.
2. A canary whose header or cookie asks for it gets the request; one that they rule out does not.
   Of several canaries the oldest is asked first.
3. The rest is shared at random, by weight.

A canary without endpoints gets nothing. A rule whose own Service has none is not asked for its
canaries either: they must not become the whole site by accident.
"""

from __future__ import annotations

from random import Random
from typing import Final

from ingress.linear_pattern import TextTooLong
from ingress.message import Request
from ingress.policy.canary import Canary
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot

_ALWAYS: Final = b"always"
_NEVER: Final = b"never"


def choose_canary(route: Route, snapshot: Snapshot, request: Request, random: Random) -> Route:
    """
    :param route: a Route with canaries.
    :param random: randomness that need not be secret.
    :return: the Route of the canary that gets the request; `route` itself if none does.
    """
    upstreams, key = snapshot.upstreams, route.upstream
    own = upstreams.get(key) if key is not None else None
    if own is None or not own.endpoints:
        return route
    if route.affinity is not None and _is_in_session(request, route.affinity, route):
        return route
    canaries: list[Route] = []
    for canary in route.canary_routes:
        upstream = upstreams.get(canary.upstream) if canary.upstream is not None else None
        if upstream is not None and upstream.endpoints:
            if canary.affinity is not None and _is_in_session(request, canary.affinity, canary):
                return canary
            canaries.append(canary)
    undecided: list[Route] = []
    for canary in canaries:
        rule = canary.canary_rule
        assert rule is not None
        wanted = _is_wanted(request, rule.canary)
        if wanted:
            return canary
        if wanted is None and rule.share:
            undecided.append(canary)
    return _drawn(undecided, random) or route if undecided else route


def _drawn(canaries: list[Route], random: Random) -> Route | None:
    """Draw lots; return None where none of the canaries is drawn."""
    left = random.random()
    for canary in canaries:
        rule = canary.canary_rule
        assert rule is not None
        left -= rule.share
        if left < 0:
            return canary
    return None


def _is_in_session(request: Request, affinity: CookieAffinity, route: Route) -> bool:
    """Whether a request has a session with the Service of this Route."""
    cookies = [value for key, _, value in request.fields if key == b"cookie"]
    session = affinity.session(cookies) if cookies else None
    return session is not None and affinity.is_with(session, route.upstream)


def _is_wanted(request: Request, canary: Canary) -> bool | None:
    """Whether header or cookie ask for the canary; None where they say nothing about it."""
    if canary.header:
        value = _header(request, canary.header)
        wanted = None if value is None else _by_header(canary, value)
        if wanted is not None:
            return wanted
    return _by_word(_cookie(request, canary.cookie)) if canary.cookie else None


def _by_header(canary: Canary, value: bytes) -> bool | None:
    if canary.header_value:
        return True if value == canary.header_value else None
    if canary.header_decides_never:
        return False
    pattern = canary.header_pattern
    if pattern is None:
        return _by_word(value)
    try:
        return None if pattern.search(value) is None else True
    except TextTooLong:
        return False


def _by_word(value: bytes) -> bool | None:
    if value == _ALWAYS:
        return True
    return False if value == _NEVER else None


def _header(request: Request, name: bytes) -> bytes | None:
    """The value of a field, several in one as in nginx; None without it."""
    if name == b"host":
        return request.authority
    values = [value for key, _, value in request.fields if key == name]
    return b", ".join(values) if values else None


def _cookie(request: Request, name: bytes) -> bytes:
    """The value of the first cookie of this name, whose case does not count, as in nginx."""
    for key, _, field in request.fields:
        if key != b"cookie":
            continue
        for pair in field.split(b";"):
            cookie, _, value = pair.strip(b" \t").partition(b"=")
            if cookie.lower() == name:
                return value
    return b""
