"""
The pools of all endpoints, with what is known of each one; they outlive Snapshots.
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
What live state is kept for: an endpoint, and how it is spoken to. An endpoint
whose certificate is refused by one Ingress is as good as ever for another.
"""


TLSDialers = Callable[[Endpoint, BackendTLS], Dialer]
"""Makes the `Dialer` of one pool, which keeps what it learns of the endpoint."""


class EndpointRegistry:
    """
    :param dial: makes connections in the clear.
    :param tls_dialers: for connections over TLS.
    :param deadlines: watch over them.
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
        :param tls: None where the endpoint is spoken to in the clear.
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
        """Of the pool for these, for reading: nobody is counted into one without a pool."""
        found = self._pools.get((endpoint, tls))
        return EndpointLoad() if found is None else found.load

    def in_flight(self) -> Iterator[tuple[Endpoint, int]]:
        """
        How many requests each endpoint was asked and has not answered yet, where there are
        any; it comes twice if it is spoken to in two ways.
        """
        for (endpoint, _), pool in self._pools.items():
            if pool.load.in_flight:
                yield endpoint, pool.load.in_flight

    def apply(self, limits: Limits) -> None:
        """Bound idle connections, and the heads of responses, so from now on."""
        before, self._limits.current = self._limits.current, limits
        is_less = limits.idle_upstream_connections < before.idle_upstream_connections
        if is_less:
            for pool in self._pools.values():
                pool.trim()

    def published(self, snapshot: Snapshot) -> None:
        """Retire the pools of endpoints that no Upstream has any more, and unused ones."""
        if not self._pools:
            return
        self.retire_unused()
        wanted = snapshot.endpoints()
        for key in [key for key in self._pools if key[0] not in wanted]:
            self._pools.pop(key).retire()

    def retire_unused(self) -> None:
        """
        Retire the pools over TLS that have neither a connection nor a request.

        How endpoints are spoken to changes with each new certificate of ours, and which
        ways are still in use only the routes know. One that is needed again is made again.
        """
        for key, pool in list(self._pools.items()):
            if key[1] is not None and not pool.is_in_use:
                self._pools.pop(key).retire()

    def close(self) -> None:
        """Close every idle connection, for good."""
        for pool in self._pools.values():
            pool.retire()
        self._pools.clear()
