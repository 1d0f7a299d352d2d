"""
The admission of clients, and the connections that give way for them when all are in use.

::

    port: accept? ─► there is room, or a connection that can give way
    factory: admit(client) ─► limit of a client ─► its share ─► room, which is made if need be
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ingress.config import Config
from ingress.downstream.connection_limit import ConnectionLimit
from ingress.downstream.open_connections import ClientConnection, OpenConnections
from ingress.downstream.shares import Held, is_crowded, may_take, who_gives_way
from ingress.exchange.client import Client

LOOK_INTERVAL: Final = 0.25
"""
Seconds between two searches of all connections if none could give way; a search takes some
milliseconds.
"""

MOST_AT_ONCE: Final = 64
"""One search chooses one connection of so many to give way."""


def _nothing() -> None:
    """Stands in the place of a callback."""


class Admission:
    """
    Decides which clients get a connection.

    :param connections: the open connections.
    :param limit: the limit of all connections together; it calls `can_make_room`.
    """

    def __init__(self, connections: OpenConnections, limit: ConnectionLimit) -> None:
        self._connections = connections
        self._limit = limit
        limit.can_make_room = self.can_make_room
        self._config = Config()
        self._giving_way: list[ClientConnection] = []
        """The connections that were chosen to give way; the last one of the list is the first."""

        self._looked = float("-inf")
        self.crowded: Callable[[], None] = _nothing
        """Called for new connections while most are in use."""

        self.accepted = 0
        """Connections that were accepted, including those that were then refused."""

        self.refused = 0
        """Connections that were refused and closed at once."""

        self.beyond_share = 0
        """Connections that were refused because their client had its share, or held most."""

        self.gave_way = 0
        """Connections that were closed to make room for others."""

    def __repr__(self) -> str:
        return f"<Admission: {self.accepted} accepted, {self.refused} refused>"

    def apply(self, config: Config) -> None:
        """Apply a new configuration."""
        self._config = config

    def admit(self, client: Client) -> bool:
        """
        Count a new connection, and close another one if there is no room.

        :return: whether its client may have it.
        """
        self.accepted += 1
        if self._has_place(client):
            return True
        self.refused += 1
        return False

    def may_wait(self, client: Client) -> bool:
        """
        Make room for a connection whose beginning has to come before it is admitted.

        :param client: the peer.
        :return: whether it may have a place until then; if not, it is counted as refused.
        """
        if self._has_place(client):
            return True
        self.accepted += 1
        self.refused += 1
        return False

    def can_make_room(self, now: float) -> bool:
        """
        Return whether a connection can give way for another one.

        :param now: the current time in seconds.
        """
        if self._next_to_give_way() is None and now >= self._looked + LOOK_INTERVAL:
            self._look()
            if not self._giving_way:
                self._looked = now
        return bool(self._giving_way)

    def is_crowded(self) -> bool:
        """Return whether most of the allowed connections are in use."""
        return is_crowded(len(self._connections), self._limit.maximum)

    def _has_place(self, client: Client) -> bool:
        """Make room for a connection of this client; return False if it may have none."""
        # Nearly all are admitted here.
        is_bounded = self._config.limits.connections_per_client is not None
        if not is_bounded and not self.is_crowded() and self._limit.has_room():
            return True
        self.crowded()
        return self._may_have(client)

    def _may_have(self, client: Client) -> bool:
        limits, address = self._config.limits, client.name
        is_exempt = not address or client.names_clients_by(self._config)
        own = 0 if is_exempt else self._connections.count(address)
        most = limits.connections_per_client
        if most is not None and own >= most:
            return False
        count, maximum = len(self._connections), self._limit.maximum
        if not is_exempt and not may_take(own, count, maximum, limits.client_share):
            self.beyond_share += 1
            return False
        return self._limit.has_room() or self._make_room(own)

    def _make_room(self, own: int) -> bool:
        """
        Close a connection of a client that has more than a new one would have.

        :param own: the number of connections of the new client.
        :return: whether one was closed.
        """
        connection = self._next_to_give_way()
        if connection is None or self._connections.count(connection.address) <= own + 1:
            self.beyond_share += 1
            return False
        self._giving_way.pop()
        self.gave_way += 1
        self._connections.forget(connection)
        connection.cut()
        return True

    def _next_to_give_way(self) -> ClientConnection | None:
        """:return: a chosen connection that may still give way."""
        connections, share = (
            self._connections,
            self._limit.maximum * self._config.limits.client_share,
        )
        while self._giving_way:
            one = self._giving_way[-1]
            is_idle = one.activity != "writing"
            own = connections.count(one.address)
            if one in connections and own > 1 and (is_idle or own > share):
                return one
            self._giving_way.pop()
        return None

    def _look(self) -> None:
        """Choose the connections that give way next."""
        is_exempt: dict[str, bool] = {"": True}
        candidates: list[ClientConnection] = []
        for connection in self._connections:
            address = connection.address
            if self._connections.count(address) > 1:
                if address not in is_exempt:
                    client = Client(address, is_secure=False)
                    is_exempt[address] = client.names_clients_by(self._config)
                if not is_exempt[address]:
                    candidates.append(connection)
        held = [Held(one.address, one.activity != "writing") for one in candidates]
        maximum = self._limit.maximum
        chosen = who_gives_way(
            held, maximum, self._config.limits.client_share, max(1, maximum // MOST_AT_ONCE)
        )
        self._giving_way = [candidates[index] for index in reversed(chosen)]
