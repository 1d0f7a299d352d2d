"""
The pools of all endpoints, with what is known of each one; they outlive Snapshots.
"""

from __future__ import annotations

from ingress.config import Limits
from ingress.deadline import Deadlines
from ingress.policy.backend_tls import BackendTLS
from ingress.routing.snapshot import Endpoint, Snapshot
from ingress.upstream.endpoint_load import EndpointLoad
from ingress.upstream.pool import Dialer, EndpointPool, IdleLimits

EndpointKey = tuple[Endpoint, BackendTLS | None]
"""
What live state is kept for: an endpoint, and how it is spoken to. An endpoint
whose certificate is refused by one Ingress is as good as ever for another.
"""


class EndpointRegistry:
    """
    :param dial: makes connections.
    :param deadlines: watch over them.
    """

    def __init__(self, dial: Dialer, deadlines: Deadlines) -> None:
        self._dial = dial
        self._deadlines = deadlines
        self._idle_limits = IdleLimits()
        self._pools: dict[EndpointKey, EndpointPool] = {}

    def __repr__(self) -> str:
        return f"<EndpointRegistry of {len(self._pools)} pools>"

    def pool(self, endpoint: Endpoint, tls: BackendTLS | None = None) -> EndpointPool:
        """
        :param tls: None where the endpoint is spoken to in the clear.
        """
        key = (endpoint, tls)
        found = self._pools.get(key)
        if found is None:
            found = self._pools[key] = EndpointPool(
                endpoint, self._dial, self._deadlines, self._idle_limits, tls
            )
        return found

    def load(self, endpoint: Endpoint, tls: BackendTLS | None = None) -> EndpointLoad:
        """Of the pool for these, for reading: nobody is counted into one without a pool."""
        found = self._pools.get((endpoint, tls))
        return EndpointLoad() if found is None else found.load

    def apply(self, limits: Limits) -> None:
        """Keep so many idle connections for so long from now on."""
        idle_limits = self._idle_limits
        is_less = limits.idle_upstream_connections < idle_limits.connections
        idle_limits.connections = limits.idle_upstream_connections
        idle_limits.timeout = limits.idle_upstream_timeout
        if is_less:
            for pool in self._pools.values():
                pool.trim()

    def published(self, snapshot: Snapshot) -> None:
        """Retire the pools of endpoints that no Upstream has any more."""
        if not self._pools:
            return
        wanted = snapshot.endpoints()
        for key, pool in list(self._pools.items()):
            endpoint, tls = key
            # How endpoints are spoken to changes with each new client certificate, and
            # which ways are still in use only the routes know.
            is_stale = tls is not None and not pool.is_in_use
            if endpoint not in wanted or is_stale:
                self._pools.pop(key).retire()

    def close(self) -> None:
        """Close every idle connection, for good."""
        for pool in self._pools.values():
            pool.retire()
        self._pools.clear()
