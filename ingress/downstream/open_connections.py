"""
The open client connections of a process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred

from ingress.telemetry.record import ExchangeRecord


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

    def in_flight(self) -> Sequence[ExchangeRecord]:
        """The records of the requests under way."""

    def close_if_idle(self) -> None:
        """Close now, or after the exchange under way."""

    def cut(self) -> None:
        """Close at once, even during an exchange."""


class OpenConnections:
    """All client connections of a process, over all listeners."""

    def __init__(self) -> None:
        self._open: dict[ClientConnection, None] = {}
        """The connections, in the order in which they were opened."""

        self._leaving: set[ClientConnection] = set()
        """Connections that were cut to make room, and are not closed yet."""

        self._counts: Counter[str] = Counter()
        self._drained: list[Deferred[None]] = []

    def __repr__(self) -> str:
        return f"<OpenConnections: {len(self._open)}>"

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[ClientConnection]:
        """Yield the open connections that do not give way, the oldest first."""
        return (connection for connection in self._open if connection not in self._leaving)

    def __contains__(self, connection: object) -> bool:
        return connection in self._open and connection not in self._leaving

    def in_flight(self) -> Iterator[ExchangeRecord]:
        """Yield the records of all requests under way."""
        for connection in self._open:
            yield from connection.in_flight()

    def activities(self) -> Counter[str]:
        """Count the connections of each activity."""
        return Counter(connection.activity for connection in self._open)

    def count(self, address: str) -> int:
        """Count the connections of a client; 0 for UNIX sockets, which have many clients."""
        return self._counts[address] if address else 0

    def add(self, connection: ClientConnection) -> None:
        if connection not in self._open:
            self._open[connection] = None
            self._counts[connection.address] += 1

    def discard(self, connection: ClientConnection) -> None:
        if connection in self._open:
            del self._open[connection]
            if connection in self._leaving:
                self._leaving.remove(connection)
            else:
                self._uncount(connection)
        if not self._open:
            drained, self._drained = self._drained, []
            for waiting in drained:
                waiting.callback(None)

    def forget(self, connection: ClientConnection) -> None:
        """Stop counting a connection that is about to be cut."""
        if connection in self:
            self._leaving.add(connection)
            self._uncount(connection)

    def _uncount(self, connection: ClientConnection) -> None:
        self._counts[connection.address] -= 1
        if not self._counts[connection.address]:
            del self._counts[connection.address]

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
