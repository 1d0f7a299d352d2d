"""
``/live``: tells pages that something has changed (Server-Sent Events).

A page that hears of a change loads itself again, so that the stream has no content to escape and
its pieces have one size, however much is served. Nothing runs while nobody follows.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ingress.telemetry.observed_proxy import ObservedProxy

MEDIA_TYPE: Final = b"text/event-stream"

INTERVAL: Final = 1.0
"""Seconds between two looks for changes."""

HEARTBEAT: Final = 10.0
"""Seconds after which an event is sent that says nothing new: pages know that the stream lives."""

MAX_FOLLOWERS: Final = 8
"""Half of what the admin listener may have of connections; a browser opens one."""

STALL_TIMEOUT: Final = 60.0
"""Seconds that a follower may take nothing."""


class Change(NamedTuple):
    """What an event says."""

    revision: str

    flow: int
    """The number of requests so far."""


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
    )
    return f"{hash(parts) & 0xFFFFFFFFFFFF:x}"


@implementer(IPushProducer)
class _Follower:
    """One stream."""

    def __init__(self, request: Any, live: Live) -> None:
        self._request = request
        self._live = live
        self.paused_at: float | None = None
        self.sent: Change | None = None
        self.sent_at = 0.0

    def resumeProducing(self) -> None:
        """IPushProducer."""
        self.paused_at = None

    def pauseProducing(self) -> None:
        """IPushProducer."""
        self.paused_at = self._live.clock.seconds()

    def stopProducing(self) -> None:
        """IPushProducer: the client is gone."""

    def send(self, data: bytes) -> None:
        """Write an event."""
        self._request.write(data)

    def cut(self) -> None:
        """End the connection of a client that takes nothing."""
        self._request.unregisterProducer()
        self._request.transport.abortConnection()


class Live:
    """
    The streams of all browsers.

    :param version: that of the page's files.
    """

    log = Logger()

    def __init__(self, proxy: ObservedProxy, clock: IReactorTime, version: str) -> None:
        self.clock = clock
        self._proxy = proxy
        self._version = version
        self._followers: dict[_Follower, None] = {}
        self._call: IDelayedCall | None = None
        self._is_looking = False

    def __repr__(self) -> str:
        return f"<Live: {len(self._followers)} follow>"

    @property
    def is_full(self) -> bool:
        """Whether nobody else may follow."""
        return len(self._followers) >= MAX_FOLLOWERS

    def follow(self, request: Any) -> None:
        """Begin to write events; the fields of the answer are set."""
        follower = _Follower(request, self)
        gone: Deferred[Any] = request.notifyFinish()
        gone.addBoth(self._gone, follower)
        request.registerProducer(follower, True)
        self._followers[follower] = None
        request.write(b"retry: 1000\n\n")
        if self._call is None and not self._is_looking:
            self._call = self.clock.callLater(0, self._look)

    def _gone(self, _: object, follower: _Follower) -> None:
        self._followers.pop(follower, None)
        if not self._followers and self._call is not None:
            self._call.cancel()
            self._call = None

    def _look(self) -> None:
        self._call, self._is_looking = None, True
        Deferred.fromCoroutine(self._refresh()).addErrback(self._failed).addBoth(self._later)

    async def _refresh(self) -> None:
        await self._proxy.reports.refresh()
        change = Change(revision(self._proxy), self._proxy.totals.traffic.requests)
        said = {"version": self._version, "revision": change.revision, "flow": change.flow}
        data = b"data: %b\n\n" % json.dumps(said, separators=(",", ":")).encode("ascii")
        now = self.clock.seconds()
        for follower in tuple(self._followers):
            if follower.paused_at is not None:
                if now - follower.paused_at > STALL_TIMEOUT:
                    follower.cut()
            elif follower.sent != change or now - follower.sent_at >= HEARTBEAT:
                follower.sent, follower.sent_at = change, now
                follower.send(data)

    def _failed(self, failure: Failure) -> None:
        self.log.failure("Changes cannot be told", failure)

    def _later(self, _: object) -> None:
        self._is_looking = False
        if self._followers:
            self._call = self.clock.callLater(INTERVAL, self._look)
