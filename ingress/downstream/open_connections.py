"""
The open client connections of a process.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from twisted.internet.defer import Deferred


class ClientConnection(Protocol):
    """A client connection of any protocol."""

    @property
    def address(self) -> str:
        """The client's IP address; empty for a Unix socket."""

    @property
    def activity(self) -> str:
        """
        ``reading`` while the head of a request is received, ``writing`` while a request
        is answered, else ``waiting``, as in nginx.
        """

    def close_if_idle(self) -> None:
        """Close now, or after the exchange under way."""

    def cut(self) -> None:
        """Close at once, even during an exchange."""


class OpenConnections:
    """All client connections of a process, over all listeners."""

    def __init__(self) -> None:
        self._open: set[ClientConnection] = set()
        self._counts: Counter[str] = Counter()
        self._drained: list[Deferred[None]] = []

    def __repr__(self) -> str:
        return f"<OpenConnections: {len(self._open)}>"

    def __len__(self) -> int:
        return len(self._open)

    def activities(self) -> Counter[str]:
        """The number of connections of each activity."""
        return Counter(connection.activity for connection in self._open)

    def count(self, address: str) -> int:
        """The number of connections of a client; 0 for UNIX sockets, which have many clients."""
        return self._counts[address] if address else 0

    def add(self, connection: ClientConnection) -> None:
        if connection not in self._open:
            self._open.add(connection)
            self._counts[connection.address] += 1

    def discard(self, connection: ClientConnection) -> None:
        if connection in self._open:
            self._open.remove(connection)
            self._counts[connection.address] -= 1
            if not self._counts[connection.address]:
                del self._counts[connection.address]
        if not self._open:
            drained, self._drained = self._drained, []
            for waiting in drained:
                waiting.callback(None)

    def drain(self) -> Deferred[None]:
        """
        Close idle connections, and others after their exchange.

        :return: fires when the last connection is closed.
        """
        for connection in tuple(self._open):
            connection.close_if_idle()
        waiting: Deferred[None] = Deferred()
        if self._open:
            self._drained.append(waiting)
        else:
            waiting.callback(None)
        return waiting

    def cut(self) -> None:
        """Close all connections at once, even during exchanges."""
        for connection in tuple(self._open):
            connection.cut()
