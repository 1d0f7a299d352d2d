"""
Which endpoint of an Upstream serves next.
"""

from __future__ import annotations

from collections.abc import Container

from ingress.routing.route import UpstreamKey
from ingress.routing.snapshot import Endpoint, Snapshot, Upstream


class RoundRobin:
    """Takes the endpoints of each Upstream in turn; the turn outlives Snapshots."""

    def __init__(self) -> None:
        self._turns: dict[UpstreamKey, int] = {}

    def __repr__(self) -> str:
        return f"<RoundRobin of {len(self._turns)} upstreams>"

    def pick(self, upstream: Upstream, tried: Container[Endpoint] = ()) -> Endpoint | None:
        """
        :param tried: endpoints that failed this exchange already.
        :return: the endpoint whose turn it is; None where none is left to try.
        """
        endpoints = upstream.endpoints
        count = len(endpoints)
        turn = self._turns.get(upstream.key, 0)
        for offset in range(count):
            endpoint = endpoints[(turn + offset) % count]
            if endpoint not in tried:
                self._turns[upstream.key] = (turn + offset + 1) % count
                return endpoint
        return None

    def published(self, snapshot: Snapshot) -> None:
        """Forget the turns of Upstreams that are gone."""
        for key in [key for key in self._turns if key not in snapshot.upstreams]:
            del self._turns[key]
