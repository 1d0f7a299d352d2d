"""
The limit of connections that are open at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, ClassVar, Final, Protocol

from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.config import Limits
from ingress.transports.stream import TransportOwner

TELL_INTERVAL: Final = 60.0
"""Seconds between two equal lines of the log, which clients can cause at will."""


class WaitingPort(Protocol):
    """A port that accepts nothing for now."""

    def now(self) -> float:
        """Seconds on the reactor's clock."""

    def resume(self) -> None:
        """Accept again."""


class ConnectionLimit(TransportOwner):
    """
    Limits the connections that are open at once, over all ports that share it.

    :param maximum: the number of connections at which ports stop accepting.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(self, maximum: int) -> None:
        self.full = "All {maximum} connections are in use: new ones wait"
        """The line that is logged then."""

        self.maximum = maximum
        self._room = sys.maxsize
        self._processes = 1
        self._open: dict[Any, None] = {}
        """The connections in the order in which they were opened."""

        self.can_make_room: Callable[[float], bool] = _never
        """Whether a connection can give way for another one, at a time in seconds."""

        self._waiting: list[WaitingPort] = []
        self._told = float("-inf")

    def __repr__(self) -> str:
        return f"<ConnectionLimit: {len(self._open)} of {self.maximum}>"

    @property
    def count(self) -> int:
        return len(self._open)

    def has_room(self) -> bool:
        return len(self._open) < self.maximum

    def opened(self, connection: Any) -> None:
        """
        Count a connection.

        :param connection: a transport of which this is the owner, or what will be one.
        """
        self._open[connection] = None

    def closed(self, connection: object) -> None:
        """A connection is closed: waiting ports accept again."""
        self._open.pop(connection, None)
        if self._waiting:
            self._resume()

    def transport_lost(self, transport: Any, reason: Failure) -> None:
        """TransportOwner."""
        self.closed(transport)

    def apply(self, limits: Limits) -> None:
        """Follow a new configuration, as far as the system has room."""
        part = -(-limits.connections // self._processes)
        self.maximum = min(part, self._room)
        self._resume()

    def fit(self, room: int, processes: int = 1) -> None:
        """
        Fit the maximum to the system.

        :param room: the number of connections that the system allows.
        :param processes: the number of processes that share the configured maximum.
        """
        self._room = room
        self._processes = processes
        self.maximum = min(self.maximum, room)

    def _resume(self) -> None:
        waiting, self._waiting = self._waiting, []
        for port in waiting:
            port.resume()

    def wait(self, port: WaitingPort) -> None:
        """Have `port` resume when there is room."""
        self._waiting.append(port)
        if port.now() >= self._told + TELL_INTERVAL:
            self._told = port.now()
            self.log.warn(self.full, maximum=self.maximum)


def _never(now: float) -> bool:
    """Nobody gives way."""
    return False


class YieldingLimit(ConnectionLimit):
    """
    Keeps no new connection waiting: when the last place is taken, the oldest connection
    is cut, whether idle or not.

    A kubelet whose probe is not answered kills the process. Otherwise any client could
    cause that with many silent connections.
    """

    def __init__(self, maximum: int) -> None:
        super().__init__(maximum)
        self.full = "All {maximum} connections are in use: the oldest ones are cut for new ones"

    def opened(self, connection: Any) -> None:
        """ConnectionLimit."""
        super().opened(connection)
        if not self.has_room():
            next(iter(self._open)).abortConnection()
