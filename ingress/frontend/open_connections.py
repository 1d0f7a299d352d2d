"""
The client connections that are open, for the process to close them when it ends.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred


class ClientConnection(Protocol):
    """A client's connection in any protocol."""

    def close_if_idle(self) -> None:
        """Close, unless an exchange is under way, which then ends with a close."""

    def cut(self) -> None:
        """Close at once, whatever is under way."""


class OpenConnections:
    """All client connections of a process, over all listeners."""

    def __init__(self) -> None:
        self._open: set[ClientConnection] = set()
        self._drained: list[Deferred[None]] = []

    def __repr__(self) -> str:
        return f"<OpenConnections: {len(self._open)}>"

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: ClientConnection) -> None:
        self._open.add(connection)

    def discard(self, connection: ClientConnection) -> None:
        self._open.discard(connection)
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
