"""
Relays between clients and endpoints in memory.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory

from ingress.config import Config
from ingress.endpoint import Endpoint, UpstreamKey
from ingress.relay.relay import Relay
from ingress.relay.resources import RelayResources
from ingress.telemetry.relay_record import RelayReceiver, RelayRecord
from ingress.transports.view_transport import ViewTransport
from tests.support.memory_socket import CAPACITY
from tests.support.wire import UPSTREAM, Peer, Wire, memory_read, memory_send

PORT = 9000


class KeptRelays(RelayReceiver):
    """Keeps the records of relays in a list."""

    def __init__(self) -> None:
        self.records: list[RelayRecord] = []

    def relay_ended(self, record: RelayRecord) -> None:
        self.records.append(record)


class MemoryViewTransport(ViewTransport):
    """A transport of relays on a socket in memory."""

    def doRead(self) -> Any:
        return super().doRead() if self._receiver is not None else memory_read(self)

    def _send(self, data: Any, start: int) -> int:
        return memory_send(self.socket, data, start)


class RelayWire(Wire):
    """A `Wire` whose clients are relayed to the endpoints, on the transports of relays."""

    def __init__(
        self, *endpoints: Endpoint, config: Config | None = None, capacity: int = CAPACITY
    ) -> None:
        super().__init__(*endpoints, config=config, capacity=capacity)
        self.transport = MemoryViewTransport
        self.kept = KeptRelays()
        self.resources = RelayResources(
            self._dial,
            self.plane.calls.balancer,
            self.deadlines,
            self.plane.clients.connections,
            self.kept,
        )
        snapshot = self.plane.exchanges.snapshot
        assert snapshot is not None
        self.resources.publish(snapshot)

    @property
    def records(self) -> list[RelayRecord]:
        return self.kept.records

    def relay(self, key: UpstreamKey = UPSTREAM) -> tuple[Peer, Relay]:
        """Connect a client that is relayed."""
        relay = Relay(self.resources, key, "192.0.2.1", PORT)
        peer, _ = self.join(_Single(relay.client), IPv4Address("TCP", "192.0.2.1", 50000))
        return peer, relay


class _Single(Factory):
    """Makes the one protocol that there is already."""

    noisy = False

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: object) -> Any:
        return self._protocol
