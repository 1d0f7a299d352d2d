"""
Slow start: endpoints that have become ready get their share of requests little by little.

A process that has just started compiles, fills its caches and makes its connections: with its full
share at once its first clients wait. Only endpoints that join others start slowly. Where all are
new, nobody could take the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final

from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.policy.load_balance import MAX_SLOW_START

FIRST_SHARE: Final = 0.1
"""The least part of its share that an endpoint gets: without requests it would not get warm."""

_NOBODY: Final[Mapping[UpstreamKey, Upstream]] = {}


class SlowStart:
    """
    The endpoints that have become ready a while ago.

    :param now: the clock, in seconds.
    :param random: randomness that need not be secret.
    """

    def __init__(self, now: Callable[[], float], random: Random) -> None:
        self._now = now
        self._random = random
        self._upstreams = _NOBODY
        """Those that were published last."""

        self.fresh: dict[UpstreamKey, dict[Endpoint, float]] = {}
        """When endpoints became ready, by Upstream, for as long as any slow start may last."""

    def __repr__(self) -> str:
        return f"<SlowStart of {len(self.fresh)} upstreams>"

    def published(self, upstreams: Mapping[UpstreamKey, Upstream]) -> None:
        """Find the endpoints that have become ready, and forget those that are gone or warm."""
        before, self._upstreams = self._upstreams, upstreams
        if not before:
            # Nothing becomes ready later than everything else.
            return
        now = self._now()
        for key, since in list(self.fresh.items()):
            upstream = upstreams.get(key)
            ready = upstream.endpoints if upstream is not None else ()
            left = {
                endpoint: moment
                for endpoint, moment in since.items()
                if endpoint in ready and now - moment < MAX_SLOW_START
            }
            self._put(key, left)
        for key, upstream in upstreams.items():
            known = before.get(key)
            if known is None or known is upstream or not known.endpoints:
                continue
            joined = set(upstream.endpoints).difference(known.endpoints)
            if joined:
                self._put(key, {**self.fresh.get(key, {}), **dict.fromkeys(joined, now)})

    def _put(self, key: UpstreamKey, since: dict[Endpoint, float]) -> None:
        if since:
            self.fresh[key] = since
        else:
            self.fresh.pop(key, None)

    def admitted(
        self, key: UpstreamKey, candidates: Sequence[Endpoint], duration: float
    ) -> Sequence[Endpoint]:
        """
        Leave out each endpoint that starts slowly, as often as its age requires.

        :param candidates: the endpoints that may serve a request.
        :param duration: the seconds after which an endpoint has its full share.
        :return: those that take part this time; all of them if none would be left.
        """
        since = self.fresh.get(key)
        if since is None:
            return candidates
        now, random = self._now(), self._random
        found = []
        for endpoint in candidates:
            moment = since.get(endpoint)
            share = 1.0 if moment is None else max(FIRST_SHARE, (now - moment) / duration)
            if share >= 1 or random.random() < share:
                found.append(endpoint)
        return found or candidates
