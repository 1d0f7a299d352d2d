"""
The client connections that are open, for the process to close them when it ends.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from twisted.internet.defer import Deferred


class ClientConnection(Protocol):
    """A client's connection in any protocol."""

    @property
    def address(self) -> str:
        """The client's IP address; empty for a Unix socket."""

    @property
    def activity(self) -> str:
        """
        ``reading`` while a request's head is coming in, ``writing`` while one is
        answered, else ``waiting``, as nginx calls it.
        """

    def close_if_idle(self) -> None:
        """Close, unless an exchange is under way, which then ends with a close."""

    def cut(self) -> None:
        """Close at once, whatever is under way."""


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
        """How many there are of each."""
        return Counter(connection.activity for connection in self._open)

    def count(self, address: str) -> int:
        """How many a client has; it must not be asked about Unix sockets, who are many."""
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
        Close those that are idle.

        :return: fires when the last one is closed.
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
        """Close all at once, whatever is under way."""
        for connection in tuple(self._open):
            connection.cut()
