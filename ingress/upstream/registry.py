"""
The pools of all endpoints; they outlive Snapshots.
"""

from __future__ import annotations

from ingress.deadline import Deadlines
from ingress.routing.snapshot import Endpoint, Snapshot
from ingress.upstream.pool import Dialer, EndpointPool


class EndpointRegistry:
    """
    :param dial: makes connections.
    :param deadlines: watch over them.
    """

    def __init__(self, dial: Dialer, deadlines: Deadlines) -> None:
        self._dial = dial
        self._deadlines = deadlines
        self._pools: dict[Endpoint, EndpointPool] = {}

    def __repr__(self) -> str:
        return f"<EndpointRegistry of {len(self._pools)} pools>"

    def pool(self, endpoint: Endpoint) -> EndpointPool:
        found = self._pools.get(endpoint)
        if found is None:
            found = self._pools[endpoint] = EndpointPool(endpoint, self._dial, self._deadlines)
        return found

    def published(self, snapshot: Snapshot) -> None:
        """Retire the pools of endpoints that no Upstream has any more."""
        if not self._pools:
            return
        wanted: set[Endpoint] = set()
        for upstream in snapshot.upstreams.values():
            wanted.update(upstream.endpoints, upstream.lingering)
        for endpoint in self._pools.keys() - wanted:
            self._pools.pop(endpoint).retire()

    def close(self) -> None:
        """Close every idle connection, for good."""
        for pool in self._pools.values():
            pool.retire()
        self._pools.clear()
