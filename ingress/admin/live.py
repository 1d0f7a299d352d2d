"""
``/live``: tells pages that something has changed (Server-Sent Events).

A page that hears of a change loads itself again, so that the stream has no content to escape and
its pieces have one size, however much is served. Nothing runs while nobody follows.
"""

from __future__ import annotations

import json
from typing import Final

from ingress.admin.html.assets import VERSION
from ingress.admin.page import Content, LiveContent, Page, PageRequest
from ingress.admin.representation import EVENTS
from ingress.admin.turns import Turns
from ingress.telemetry.observed_proxy import ObservedProxy

MAX_FOLLOWERS: Final = 16
"""Browsers that may follow at a time."""

_BEGIN: Final = b"retry: 1000\n\n"
_FULL: Final = b"retry: 10000\nevent: full\n"
"""For one browser too many: what is so now, and to ask again in ten seconds."""

_HEARTBEAT: Final = b"event: beat\ndata:\n\n"
"""An event, which scripts hear of, unlike a comment: a silent stream may be a broken one."""

_FRESH: Final = 0.5
"""Seconds for which followers share a look."""


def revision(proxy: ObservedProxy) -> str:
    """:return: a text that differs if rules, endpoints, Problems or processes differ."""
    problems = tuple(proxy.problems)
    states = proxy.reports.endpoints()
    bad = frozenset(
        (endpoint, state.ejected_for) for endpoint, state in states.items() if state.ejected_for
    )
    parts = (
        proxy.published.generation,
        len(problems),
        hash(problems[-1:]),
        hash(bad),
        hash(frozenset(proxy.unhealthy())),
        sum(1 for _ in proxy.reports.vitals()),
        proxy.lost_workers(),
        proxy.configured.has_mistakes,
        next((change.generation for change in proxy.changes), 0),
    )
    return f"{hash(parts) & 0xFFFFFFFFFFFF:x}"


class Live:
    """The streams of all browsers."""

    def __init__(self, proxy: ObservedProxy, clock: Turns) -> None:
        self._proxy = proxy
        self._clock = clock
        self._followers: set[_Follower] = set()
        self._seen = b""
        self._seen_at = -_FRESH

    def __repr__(self) -> str:
        return f"<Live: {len(self._followers)} follow>"

    @property
    def page(self) -> Page:
        """The page of the stream."""
        return Page(self._answer, is_live=lambda query: True)

    async def _answer(self, request: PageRequest) -> LiveContent | Content:
        if len(self._followers) >= MAX_FOLLOWERS:
            # A refusal would tell scripts nothing: they do not see its status.
            return Content(EVENTS.encode(), iter((_FULL + await self.look(),)))
        follower = _Follower(self)
        self._followers.add(follower)
        return LiveContent(
            EVENTS.encode(), follower.next, _HEARTBEAT, lambda: self._followers.discard(follower)
        )

    async def look(self) -> bytes:
        """:return: the event of what is so now; equal to the last one if nothing has changed."""
        if self._clock.seconds() - self._seen_at >= _FRESH:
            await self._proxy.reports.refresh()
            said = {
                "version": VERSION,
                "revision": revision(self._proxy),
                "flow": self._proxy.totals.traffic.requests,
            }
            self._seen = b"data: %b\n\n" % json.dumps(said, separators=(",", ":")).encode("ascii")
            self._seen_at = self._clock.seconds()
        return self._seen


class _Follower:
    """One stream."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._told = b""

    async def next(self) -> bytes:
        """:return: what has changed since the last call; empty if nothing has."""
        told, self._told = self._told, await self._live.look()
        if told == self._told:
            return b""
        return self._told if told else _BEGIN + self._told
