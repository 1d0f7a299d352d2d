"""
Active health checks: each endpoint of some Upstreams is asked for a path again and again.

::

                 as many failures in a row as its threshold
      HEALTHY ─────────────────────────────────────────────► UNHEALTHY
         ▲                                                       │
         └───────────────────────────────────────────────────────┘
                 as many successes in a row as its threshold

An endpoint is healthy until checks say otherwise. Checks use the connections that requests use, and
each process makes its own. Deadlines tell when one is due, and when it takes too long.
"""

from __future__ import annotations

from random import Random
from typing import Final

from ingress.deadline import NEVER, Deadlines
from ingress.encoded_fields import EncodedFields
from ingress.endpoint import Endpoint, UpstreamKey
from ingress.errors import PeerError, StaleConnection
from ingress.http1.body import Trailers
from ingress.message import Request, Response, UpstreamRequest
from ingress.policy.proxy_settings import ProxySettings
from ingress.routing.snapshot import Snapshot
from ingress.upstream.health import Health
from ingress.upstream.pool import EndpointPool
from ingress.upstream.registry import EndpointRegistry
from ingress.upstream.stream import EndpointStream, PendingStream, StreamReceiver
from ingress.upstream_check import UpstreamCheck

MAX_BODY: Final = 1024 * 1024
"""Bytes of a response that are read, so that its connection can serve again."""

JITTER: Final = 0.2
"""The share of an interval that is random, so that not all processes ask at once."""

_USER_AGENT: Final = (b"User-Agent", b"txingress-health-check")

_Key = tuple[UpstreamKey, Endpoint]


class HealthChecks:
    """
    The checks of one process.

    :param registry: has the connections to endpoints.
    :param health: learns which endpoints are unhealthy.
    """

    def __init__(
        self, registry: EndpointRegistry, health: Health, deadlines: Deadlines, random: Random
    ) -> None:
        self.registry = registry
        self.health = health
        self.deadlines = deadlines
        self.random = random
        self._running: dict[_Key, EndpointCheck] = {}

    def __repr__(self) -> str:
        return f"<HealthChecks of {len(self._running)} endpoints>"

    def published(self, snapshot: Snapshot) -> None:
        """Check the endpoints that this Snapshot wants to be checked, and no others."""
        if not self._running and not snapshot.health_checks:
            return
        wanted: dict[_Key, UpstreamCheck] = {}
        for key, check in snapshot.health_checks.items():
            upstream = snapshot.upstreams.get(key)
            for endpoint in upstream.endpoints if upstream is not None else ():
                wanted[key, endpoint] = check
        for checked, running in list(self._running.items()):
            if wanted.get(checked) != running.settings:
                self._running.pop(checked).stop()
        for checked, check in wanted.items():
            if checked not in self._running:
                self._running[checked] = EndpointCheck(self, checked, check)


class EndpointCheck(StreamReceiver):
    """
    The checks of one endpoint, one after the other. It is `ingress.deadline.Timed`.

    :ivar deadline: when the next check begins, or when the one under way has taken too long.
    """

    def __init__(self, checks: HealthChecks, key: _Key, settings: UpstreamCheck) -> None:
        self.settings = settings
        self._checks = checks
        self._key = key
        self._is_healthy = True
        self._in_a_row = 0
        """Results in a row that speak against what is known."""

        self._pool: EndpointPool | None = None
        """The pool of the check under way; None between two."""

        self._pending: PendingStream | None = None
        self._stream: EndpointStream | None = None
        self._is_new = False
        """Whether the check is repeated on a new connection, because a kept one was stale."""

        self._status = 0
        self._size = 0
        # Soon, but not all at once.
        self.deadline = checks.deadlines.now() + checks.random.random()
        checks.deadlines.watch(self)

    def __repr__(self) -> str:
        return f"<EndpointCheck {self._key[1]} healthy={self._is_healthy}>"

    def stop(self) -> None:
        """Check no more; nothing is left of what was found out."""
        self._checks.deadlines.forget(self)
        self.deadline = NEVER
        self._give_up()
        self._mark(is_healthy=True)

    def deadline_passed(self) -> None:
        """Timed."""
        if self._pool is None:
            self._begin()
        else:
            self._give_up()
            self._finish(succeeded=False)

    def _begin(self, *, is_new: bool = False) -> None:
        checks, (_, endpoint), timeout = self._checks, self._key, self.settings.check.timeout
        self._status = self._size = 0
        self._is_new = is_new
        self.deadline = checks.deadlines.now() + timeout
        pool = self._pool = checks.registry.pool(endpoint, self.settings.tls)
        # A pool over TLS is kept for as long as it is in use.
        pool.load.in_flight += 1
        acquired = pool.acquire(self, timeout, is_new=is_new)
        if isinstance(acquired, EndpointStream):
            self._ask(acquired)
        else:
            self._pending = acquired

    def _ask(self, stream: EndpointStream) -> None:
        self._pending, self._stream = None, stream
        timeout = self.settings.check.timeout
        target = self.settings.check.path.encode("ascii")
        authority = str(self._key[1]).encode()
        request = Request(b"GET", target, target.partition(b"?")[0], authority, authority, [], 0)
        head = UpstreamRequest(request, target, authority, EncodedFields([_USER_AGENT]), b"", b"")
        stream.send_head(self, head, ProxySettings(send_timeout=timeout, read_timeout=timeout))

    # StreamReceiver.

    def stream_acquired(self, stream: EndpointStream) -> None:
        self._ask(stream)

    def stream_refused(self, error: PeerError) -> None:
        self._pending = None
        self._finish(succeeded=False)

    def response_started(self, response: Response) -> None:
        self._status = response.status

    def response_body(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_BODY:
            self._give_up()
            self._finish(succeeded=self._is_good)

    def response_ended(self, trailers: Trailers) -> None:
        self._stream = None
        self._finish(succeeded=self._is_good)

    def stream_failed(self, error: PeerError) -> None:
        self._stream = None
        if isinstance(error, StaleConnection) and not self._is_new:
            self._release()
            self._begin(is_new=True)
        else:
            self._finish(succeeded=False)

    def switched(self, response: Response) -> StreamReceiver:
        self._give_up()
        self._finish(succeeded=False)
        return StreamReceiver()

    @property
    def _is_good(self) -> bool:
        return 200 <= self._status < 400

    # The end of a check.

    def _give_up(self) -> None:
        pending, self._pending = self._pending, None
        stream, self._stream = self._stream, None
        if pending is not None:
            pending.cancel()
        if stream is not None:
            stream.abandon()
        self._release()

    def _release(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.load.in_flight -= 1

    def _finish(self, *, succeeded: bool) -> None:
        self._release()
        checks, check = self._checks, self.settings.check
        self.deadline = checks.deadlines.now() + check.interval * (
            1 - JITTER * checks.random.random()
        )
        if succeeded is self._is_healthy:
            self._in_a_row = 0
            return
        self._in_a_row += 1
        threshold = check.healthy_threshold if succeeded else check.unhealthy_threshold
        if self._in_a_row >= threshold:
            self._mark(is_healthy=succeeded)

    def _mark(self, *, is_healthy: bool) -> None:
        self._in_a_row = 0
        if is_healthy is not self._is_healthy:
            self._is_healthy = is_healthy
            key = (*self._key, self.settings.tls)
            self._checks.health.checked(key, is_healthy=is_healthy)
