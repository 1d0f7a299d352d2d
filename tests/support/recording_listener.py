"""
A listener without sockets that records the order of starts and stops.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.defer import Deferred, succeed

from ingress.downstream.bound_socket import ListenError


@dataclass
class RecordingListener:
    """Records when it is started and stopped, in a list shared by all listeners."""

    name: str
    events: list[str]
    fault: ListenError | None = None

    def start(self, *_: object, **__: object) -> None:
        if self.fault is not None:
            raise self.fault
        self.events.append(f"{self.name} starts")

    def stop(self) -> Deferred[None]:
        self.events.append(f"{self.name} stops")
        return succeed(None)
