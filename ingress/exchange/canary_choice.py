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
from typing import Final, cast

from ingress.endpoint import Upstream, UpstreamKey
from ingress.linear_pattern import TextTooLong
from ingress.message import Request
from ingress.policy.canary import Canary
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.routing.extra_work import CanaryWork
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
    work, key, upstreams = route.work, route.upstream, _upstreams(snapshot)
    own = upstreams.get(key) if key is not None else None
    if work is None or own is None or not own.endpoints:
        return route
    if route.affinity is not None and _is_in_session(request, route.affinity, key):
        return route
    canaries: list[CanaryWork] = []
    for each in work.canaries:
        upstream = upstreams.get(each.upstream)
        if upstream is not None and upstream.endpoints:
            if each.affinity is not None and _is_in_session(request, each.affinity, each.upstream):
                return cast("Route", each.route)
            canaries.append(each)
    undecided: list[CanaryWork] = []
    for each in canaries:
        wanted = None if each.canary is None else _is_wanted(request, each.canary)
        if wanted:
            return cast("Route", each.route)
        if wanted is None and each.share:
            undecided.append(each)
    return _drawn(undecided, random) or route if undecided else route


def _upstreams(snapshot: Snapshot) -> dict[UpstreamKey, Upstream]:
    # A native look-up.
    return cast("dict[UpstreamKey, Upstream]", snapshot.upstreams)


def _drawn(canaries: list[CanaryWork], random: Random) -> Route | None:
    """Draw lots; return None where none of the canaries is drawn."""
    left = random.random()
    for each in canaries:
        left -= each.share
        if left < 0:
            return cast("Route", each.route)
    return None


def _is_in_session(request: Request, affinity: CookieAffinity, key: UpstreamKey | None) -> bool:
    """Whether a request has a session with this Service."""
    cookies = [value for key, _, value in request.fields if key == b"cookie"]
    session = affinity.session(cookies) if cookies else None
    return session is not None and affinity.is_with(session, key)


def _is_wanted(request: Request, canary: Canary) -> bool | None:
    """Whether header or cookie ask for the canary; None where they say nothing about it."""
    if canary.header:
        value = request.listed(canary.header)
        wanted = None if value is None else _by_header(canary, value)
        if wanted is not None:
            return wanted
    return _by_word(request.cookie(canary.cookie)) if canary.cookie else None


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
