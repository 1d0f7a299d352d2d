"""
What all exchanges of a process share: the Snapshot in force and the live state beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from ingress.config import Limits
from ingress.deadline import Deadlines
from ingress.downstream.accepting_port import ConnectionLimit
from ingress.downstream.open_connections import OpenConnections
from ingress.exchange.client import Client
from ingress.exchange.field_names import FieldNames
from ingress.policy.live_state import PolicyStates
from ingress.routing.snapshot import Snapshot
from ingress.telemetry.record import ExchangeRecord
from ingress.telemetry.recorder import Recorder
from ingress.upstream.balancer import Balancer
from ingress.upstream.registry import EndpointRegistry
from ingress.upstream.retry_budget import RetryBudget

_DEFAULT_LIMITS: Final = Limits()

REQUEST_IDS_AT_ONCE: Final = 128
"""Made ahead, when there are none."""


class DataPlane:
    """
    :param registry: the connections to endpoints.
    :param deadlines: end what takes too long, on both sides.
    :param random: for request ids, sessions and balancing; none of it need be secret.
    :param wall_clock: seconds since the epoch, for cookies.
    :param process: our process id, which tells the sessions of two workers apart.
    :param recorder: told of each exchange that is over, and of each refusal of what was
        no request; None where nobody wants to know.
    """

    def __init__(
        self,
        registry: EndpointRegistry,
        deadlines: Deadlines,
        random: Random,
        *,
        wall_clock: Callable[[], float],
        process: int,
        recorder: Recorder | None = None,
    ) -> None:
        self.registry = registry
        self.deadlines = deadlines
        self.random = random
        self.wall_clock = wall_clock
        self.process = process
        self.balancer = Balancer(registry, deadlines.now, random)
        self.retry_budget = RetryBudget()
        self.policy_states = PolicyStates()
        self.connections = OpenConnections()
        self.connection_limit = ConnectionLimit(_DEFAULT_LIMITS.connections)
        """Of all clients together, over all listeners."""

        self.accepted = 0
        self.refused = 0
        """Connections of clients so far, and those of them that were closed at once."""

        self.snapshot: Snapshot | None = None
        """Set before any listener accepts; an exchange looks at it once."""

        self.limits = _DEFAULT_LIMITS
        """Those of the configuration in force."""

        self.hsts = b""
        """Our Strict-Transport-Security for what comes over https; empty for none."""

        self.field_names = FieldNames()
        self.recorder = recorder
        self._request_ids: list[bytes] = []
        self.record: Callable[[ExchangeRecord], None]
        self.record = recorder.record if recorder is not None else _forget
        self.is_draining = False
        """Whether answers must say ``Connection: close`` because the process ends."""

    def publish(self, snapshot: Snapshot) -> None:
        """Serve every exchange that begins from now on from `snapshot`."""
        previous, self.snapshot = self.snapshot, snapshot
        if previous is None or previous.config is not snapshot.config:
            limits = self.limits = snapshot.config.limits
            self.registry.apply(limits)
            self.connection_limit.apply(limits)
            self.field_names.apply(snapshot.config.field_names)
            if self.recorder is not None:
                self.recorder.apply(snapshot.config)
            hsts = snapshot.config.hsts
            self.hsts = hsts.field_value if hsts is not None else b""
        if previous is None or previous.upstreams is not snapshot.upstreams:
            self.registry.published(snapshot)
            self.balancer.published(snapshot)
        else:
            self.registry.retire_unused()

    def may_connect(self, client: Client) -> bool:
        """
        Whether a client may have one more connection. A trusted proxy may: its
        connections are those of many.
        """
        limit = self.limits.connections_per_client
        if limit is None or self.snapshot is None or client.is_trusted_by(self.snapshot.config):
            return True
        return self.connections.count(client.address.decode("ascii")) < limit

    def make_request_id(self) -> bytes:
        """32 hexadecimal digits, as nginx's ``$request_id`` has."""
        ids = self._request_ids
        if not ids:
            # Many at once: each alone would take five times as long.
            digits = self.random.randbytes(16 * REQUEST_IDS_AT_ONCE).hex().encode("ascii")
            ids.extend(digits[start : start + 32] for start in range(0, len(digits), 32))
        return ids.pop()


def _forget(record: ExchangeRecord) -> None:
    """Where nobody wants to know."""
