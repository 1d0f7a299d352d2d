"""
The pools of all endpoints, with the live state of each one; they outlive Snapshots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ingress.config import Limits
from ingress.deadline import Deadlines
from ingress.endpoint import Endpoint
from ingress.http2.counts import HTTP2Counts
from ingress.policy.backend_tls import BackendTLS
from ingress.routing.snapshot import Snapshot
from ingress.upstream.dialer import Dialer
from ingress.upstream.endpoint_load import EndpointLoad
from ingress.upstream.http2 import HTTP2Upstream
from ingress.upstream.pool import EndpointPool, PoolLimits
from ingress.upstream.shared_pool import SharedPool
from ingress.upstream.single_use import SingleUsePool, SingleUseSharedPool

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
        self.dial = dial
        """Makes connections in the clear."""

        self._tls_dialers = tls_dialers
        self._deadlines = deadlines
        self._limits = PoolLimits()
        self._pools: dict[EndpointKey, EndpointPool] = {}
        self._shared_pools: dict[EndpointKey, SharedPool] = {}
        """Those of endpoints that are spoken to in HTTP/2."""

        self.http2 = HTTP2Counts()
        """What endpoints do in HTTP/2, and the open connections."""

    def __repr__(self) -> str:
        return f"<EndpointRegistry of {len(self._pools)} pools>"

    def pool(
        self, endpoint: Endpoint, tls: BackendTLS | None = None, *, is_http2: bool = False
    ) -> EndpointPool:
        """
        Find the pool of an endpoint, or make it.

        :param tls: the settings of TLS; None for connections in the clear.
        :param is_http2: whether the endpoint is spoken to in HTTP/2.
        """
        key = (endpoint, tls)
        if is_http2:
            return self._shared_pools.get(key) or self._make_shared(key)
        found = self._pools.get(key)
        if found is None:
            made = SingleUsePool if endpoint.proxy_protocol else EndpointPool
            found = self._pools[key] = made(
                endpoint, self._dialer(key), self._deadlines, self._limits, tls
            )
            self._share_load(found, self._shared_pools.get(key))
        return found

    def _make_shared(self, key: EndpointKey) -> SharedPool:
        endpoint, tls = key
        kind = SingleUseSharedPool if endpoint.proxy_protocol else SharedPool
        made = self._shared_pools[key] = kind(
            endpoint, self._dialer(key), self._deadlines, self._limits, tls, self.http2
        )
        self._share_load(made, self._pools.get(key))
        return made

    def _dialer(self, key: EndpointKey) -> Dialer:
        endpoint, tls = key
        return self.dial if tls is None else self._tls_dialers(endpoint, tls)

    def _share_load(self, pool: EndpointPool, other: EndpointPool | None) -> None:
        """An endpoint has one load, whatever it is spoken to in."""
        if other is not None:
            pool.load = other.load

    def load(self, endpoint: Endpoint, tls: BackendTLS | None = None) -> EndpointLoad:
        """Return the load of a pool, for reading only; it is zero if there is no such pool."""
        key = (endpoint, tls)
        found = self._pools.get(key) or self._shared_pools.get(key)
        return EndpointLoad() if found is None else found.load

    def in_flight(self) -> Iterator[tuple[Endpoint, int]]:
        """
        Yield each endpoint with requests in flight and their number; one that has two pools, with
        different settings of TLS, comes twice.
        """
        for key, pool in self._all():
            is_counted = key in self._pools and pool is self._shared_pools.get(key)
            if pool.load.in_flight and not is_counted:
                yield key[0], pool.load.in_flight

    def http2_connections(self) -> Iterator[tuple[Endpoint, int]]:
        """Yield the endpoint of each open connection in HTTP/2, and the number of its streams."""
        for connection in self.http2.connections:
            if isinstance(connection, HTTP2Upstream):
                yield connection.endpoint, connection.stream_count

    def _all(self) -> Iterator[tuple[EndpointKey, EndpointPool]]:
        yield from self._pools.items()
        yield from self._shared_pools.items()

    def apply(self, limits: Limits) -> None:
        """Apply new limits of idle connections and of the heads of responses."""
        before = self._limits.current
        self._limits.apply(limits)
        is_less = limits.idle_upstream_connections < before.idle_upstream_connections
        if is_less:
            for _, pool in self._all():
                pool.trim()

    def published(self, snapshot: Snapshot) -> None:
        """Retire pools of endpoints that no Upstream has any more, and unused pools over TLS."""
        if not self._pools and not self._shared_pools:
            return
        self.retire_unused()
        wanted = snapshot.endpoints()
        self._retire([(key, pool) for key, pool in self._all() if key[0] not in wanted])

    def retire_unused(self) -> None:
        """
        Retire the pools over TLS that have neither a connection nor a request.

        Each new client certificate changes the settings of TLS, and only routes know which settings
        are still in use. A pool that is needed again is made again.
        """
        self._retire(
            [(key, pool) for key, pool in self._all() if key[1] is not None and not pool.is_in_use]
        )

    def _retire(self, pools: list[tuple[EndpointKey, EndpointPool]]) -> None:
        for key, pool in pools:
            if self._pools.get(key) is pool:
                del self._pools[key]
            else:
                del self._shared_pools[key]
            pool.retire()

    def close(self) -> None:
        """Close every idle connection, for good."""
        for _, pool in self._all():
            pool.retire()
        self._pools.clear()
        self._shared_pools.clear()
