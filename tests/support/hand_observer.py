"""
An `ExchangeObserver` that stops when a test says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twisted.internet.defer import Deferred, succeed


@dataclass
class HandObserver:
    """Stops when a test says so."""

    events: list[str]
    stopped: Deferred[None] = field(default_factory=lambda: succeed(None))

    def start(self) -> None:
        self.events.append("observer starts")

    def reopen(self) -> None:
        self.events.append("observer reopens")

    def stop(self) -> Deferred[None]:
        self.events.append("observer stops")
        return self.stopped
