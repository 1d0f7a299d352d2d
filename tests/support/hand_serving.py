"""
A `Serving` that accepts and has drained when a test says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from ingress.routing.snapshot import Snapshot
from ingress.serving.port_failures import PortFailures


@dataclass
class HandServing:
    """Records its calls in a list shared with other recorders, in order."""

    events: list[str]
    accepted: Deferred[None] = field(default_factory=lambda: succeed(None))
    drained: Deferred[None] = field(default_factory=lambda: succeed(None))
    connections: int = 0
    snapshot: Snapshot | None = None
    port_failures: PortFailures = field(default_factory=lambda: PortFailures(Clock(), lambda: None))

    def launch(self) -> None:
        self.events.append("serving launches")

    def prepare(self) -> None:
        self.events.append("serving prepares")

    def publish(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.events.append(f"serving has {len(snapshot.hosts)} hosts")

    def accept(self) -> Deferred[None]:
        self.events.append("serving accepts")
        return self.accepted

    def listen_again(self) -> None:
        self.events.append("serving listens again")

    def reopen(self) -> None:
        self.events.append("serving reopens")

    def drain(self, grace: float) -> Deferred[None]:
        self.events.append(f"serving drains for {grace}")
        return self.drained

    def cut(self) -> None:
        self.events.append("cut")
