"""
What all relays of a process share.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, Protocol

from ingress.config import Config, Limits
from ingress.config.nginx_settings import StreamDefaults
from ingress.deadline import Deadlines
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.policy.load_balance import LoadBalance
from ingress.port_service import PortKey, PortService
from ingress.routing.snapshot import Snapshot
from ingress.telemetry.relay_record import RelayReceiver
from ingress.transports.view_transport import LARGEST_VIEW
from ingress.upstream.balancer import Balancer
from ingress.upstream.dialer import Dialer

MEMORY: Final = 64 * 1024 * 1024
"""
Bytes that may wait in one direction while other sides do not take them: the more relays there
are, the less is read at once.
"""

SMALLEST_READ: Final = 16 * 1024
LARGEST_READ: Final = LARGEST_VIEW
"""The bounds of the largest read."""

_IN_TURN: Final = LoadBalance()
"""Relays are balanced by turns: there is no request that a hash could depend on."""


class OpenClients(Protocol):
    """The open connections of clients; `ingress.downstream.open_connections` has them."""

    def add(self, connection: Any) -> None: ...

    def discard(self, connection: Any) -> None: ...


class RelayResources:
    """
    :param dial: makes connections to endpoints.
    :param balancer: picks endpoints, and knows which are ejected.
    :param deadlines: end relays that are idle.
    :param clients: the connections of clients, of which relays are some.
    :param recorder: takes the record of each relay.
    """

    def __init__(
        self,
        dial: Dialer,
        balancer: Balancer,
        deadlines: Deadlines,
        clients: OpenClients,
        recorder: RelayReceiver | None = None,
    ) -> None:
        self.dial = dial
        self.deadlines = deadlines
        self.clients = clients
        self.recorder = recorder if recorder is not None else RelayReceiver()
        self.balancer = balancer
        self.limits = Limits()
        self.retry = StreamDefaults()
        """When another endpoint is asked because one could not be connected to."""

        self.snapshot: Snapshot | None = None
        self.in_flight: Counter[Endpoint] = Counter()
        """The relays, and the sessions of UDP, of each endpoint that has any."""

        self._count = 0
        self.largest_read = LARGEST_READ
        """Bytes that a side of a relay reads at once at most."""

        self.udp: Counter[str] = Counter()
        """Datagrams that were not passed on, and sessions that gave way, by reason."""

    def __repr__(self) -> str:
        return f"<RelayResources: {self._count} relays>"

    def publish(self, snapshot: Snapshot) -> None:
        """Use `snapshot` for every relay that begins from now on."""
        self.snapshot = snapshot
        self._apply(snapshot.config)

    def _apply(self, config: Config) -> None:
        self.limits = config.limits
        self.retry = config.nginx.streams

    def service(self, key: PortKey) -> PortService | None:
        """Return where a port leads now; None if the port is to be closed."""
        return None if self.snapshot is None else self.snapshot.ports.get(key)

    def upstream(self, key: UpstreamKey) -> Upstream | None:
        """Return the Service port as it is now; None if there is none any more."""
        return None if self.snapshot is None else self.snapshot.upstreams.get(key)

    def pick(self, upstream: Upstream, tried: list[Endpoint], began_at: float) -> Endpoint | None:
        """
        :param tried: endpoints that could not be connected to for this client.
        :param began_at: when the first of them was asked.
        :return: the endpoint whose turn it is; None if none is left to try.
        """
        if tried and not self._may_retry(len(tried), began_at):
            return None
        # Without a hash key, nothing asks for the request.
        request: Any = None
        return self.balancer.pick(upstream, _IN_TURN, request, tried)

    def _may_retry(self, tries: int, began_at: float) -> bool:
        retry = self.retry
        if not retry.next_upstream or (retry.tries and tries >= retry.tries):
            return False
        return not retry.timeout or self.deadlines.now() < began_at + retry.timeout

    def count(self, endpoint: Endpoint, change: int) -> None:
        """Count a relay that has got its endpoint, or is over."""
        self._count += change
        share = MEMORY // max(self._count, 1)
        self.largest_read = max(SMALLEST_READ, min(LARGEST_READ, share))
        self.in_flight[endpoint] += change
        if not self.in_flight[endpoint]:
            del self.in_flight[endpoint]
