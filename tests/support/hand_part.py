"""
An `ExchangePart` of which a test says when it has stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twisted.internet.defer import Deferred, succeed


@dataclass
class HandPart:
    """Has stopped when a test says so."""

    events: list[str]
    stopped: Deferred[None] = field(default_factory=lambda: succeed(None))

    def start(self) -> None:
        self.events.append("part starts")

    def reopen(self) -> None:
        self.events.append("part reopens")

    def stop(self) -> Deferred[None]:
        self.events.append("part stops")
        return self.stopped
