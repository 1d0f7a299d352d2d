"""
A listener without sockets that records the order of starts and stops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from twisted.internet.defer import Deferred, succeed

from ingress.config import ListenerKind
from ingress.downstream.bound_socket import ListenError
from ingress.downstream.listeners import Listener, Listeners


@dataclass
class RecordingListener:
    """Records when it is started and stopped, in a list shared by all listeners."""

    name: str
    events: list[str]
    fault: ListenError | None = None
    opener: object = None

    def start(self, *_: object, **__: object) -> None:
        if self.fault is not None:
            raise self.fault
        self.events.append(f"{self.name} starts")

    def open_with(self, opener: object) -> None:
        """Listener: remember who reads the beginnings of connections."""
        self.opener = opener

    def stop(self) -> Deferred[None]:
        self.events.append(f"{self.name} stops")
        return succeed(None)


def listeners_of(http: RecordingListener, https: RecordingListener) -> Listeners:
    """Listeners for clients that are recorded, and none for the admin."""
    return Listeners(
        {
            ListenerKind.HTTP: cast(Listener, http),
            ListenerKind.HTTPS: cast(Listener, https),
            ListenerKind.ADMIN: Listener("admin", ()),
        }
    )
