"""
The pools of all endpoints, with the live state of each one; they outlive Snapshots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ingress.config import Limits
from ingress.deadline import Deadlines
from ingress.endpoint import Endpoint
from ingress.policy.backend_tls import BackendTLS
from ingress.routing.snapshot import Snapshot
from ingress.upstream.dialer import Dialer
from ingress.upstream.endpoint_load import EndpointLoad
from ingress.upstream.pool import EndpointPool, PoolLimits

EndpointKey = tuple[Endpoint, BackendTLS | None]
"""
The key of live state: an endpoint and the settings of TLS with it. An endpoint whose certificate
one Ingress refuses is as good as ever for another.
"""


TLSDialers = Callable[[Endpoint, BackendTLS], Dialer]
"""Makes the `Dialer` of one pool, which keeps sessions with the endpoint."""


class EndpointRegistry:
    """
    Finds the pool of an endpoint, or makes it.

    :param dial: makes connections in the clear.
    :param tls_dialers: makes the dialers of pools over TLS.
    :param deadlines: end idle connections and unanswered requests.
    """

    def __init__(self, dial: Dialer, tls_dialers: TLSDialers, deadlines: Deadlines) -> None:
        self._dial = dial
        self._tls_dialers = tls_dialers
        self._deadlines = deadlines
        self._limits = PoolLimits()
        self._pools: dict[EndpointKey, EndpointPool] = {}

    def __repr__(self) -> str:
        return f"<EndpointRegistry of {len(self._pools)} pools>"

    def pool(self, endpoint: Endpoint, tls: BackendTLS | None = None) -> EndpointPool:
        """
        Find the pool of an endpoint, or make it.

        :param tls: the settings of TLS; None for connections in the clear.
        """
        key = (endpoint, tls)
        found = self._pools.get(key)
        if found is None:
            dial = self._dial if tls is None else self._tls_dialers(endpoint, tls)
            found = self._pools[key] = EndpointPool(
                endpoint, dial, self._deadlines, self._limits, tls
            )
        return found

    def load(self, endpoint: Endpoint, tls: BackendTLS | None = None) -> EndpointLoad:
        """Return the load of a pool, for reading only; it is zero if there is no such pool."""
        found = self._pools.get((endpoint, tls))
        return EndpointLoad() if found is None else found.load

    def in_flight(self) -> Iterator[tuple[Endpoint, int]]:
        """
        Yield each endpoint with requests in flight and their number; one that has two pools, with
        different settings of TLS, comes twice.
        """
        for (endpoint, _), pool in self._pools.items():
            if pool.load.in_flight:
                yield endpoint, pool.load.in_flight

    def apply(self, limits: Limits) -> None:
        """Apply new limits of idle connections and of the heads of responses."""
        before, self._limits.current = self._limits.current, limits
        is_less = limits.idle_upstream_connections < before.idle_upstream_connections
        if is_less:
            for pool in self._pools.values():
                pool.trim()

    def published(self, snapshot: Snapshot) -> None:
        """Retire pools of endpoints that no Upstream has any more, and unused pools over TLS."""
        if not self._pools:
            return
        self.retire_unused()
        wanted = snapshot.endpoints()
        for key in [key for key in self._pools if key[0] not in wanted]:
            self._pools.pop(key).retire()

    def retire_unused(self) -> None:
        """
        Retire the pools over TLS that have neither a connection nor a request.

        Each new client certificate changes the settings of TLS, and only routes know which settings
        are still in use. A pool that is needed again is made again.
        """
        for key, pool in list(self._pools.items()):
            if key[1] is not None and not pool.is_in_use:
                self._pools.pop(key).retire()

    def close(self) -> None:
        """Close every idle connection, for good."""
        for pool in self._pools.values():
            pool.retire()
        self._pools.clear()
