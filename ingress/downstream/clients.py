"""
What all connections of clients share: how many there are, and how many there may be.
"""

from __future__ import annotations

from typing import Final

from ingress.config import Config, Limits
from ingress.downstream.accepting_port import ConnectionLimit
from ingress.downstream.open_connections import OpenConnections
from ingress.exchange.client import Client

_DEFAULT_LIMITS: Final = Limits()


class Clients:
    """The client connections of a process, over all listeners."""

    def __init__(self) -> None:
        self.connections = OpenConnections()
        self.connection_limit = ConnectionLimit(_DEFAULT_LIMITS.connections)
        """Of all clients together."""

        self.accepted = 0
        self.refused = 0
        """Connections so far, and those of them that were closed at once."""

        self.limits = _DEFAULT_LIMITS
        """Those of the configuration in force."""

        self.is_draining = False
        """Whether answers must say ``Connection: close`` because the process ends."""

        self._config: Config | None = None

    def __repr__(self) -> str:
        return f"<Clients {self.connections}>"

    def apply(self, config: Config) -> None:
        """Do as the configuration says from now on."""
        self._config = config
        self.limits = config.limits
        self.connection_limit.apply(config.limits)

    def admit(self, client: Client) -> bool:
        """
        Count a new connection.

        :return: whether its client may have it.
        """
        self.accepted += 1
        if self.may_connect(client):
            return True
        self.refused += 1
        return False

    def may_connect(self, client: Client) -> bool:
        """
        Whether a client may have one more connection. A trusted proxy may: its connections are
        those of many.
        """
        limit = self.limits.connections_per_client
        if limit is None or self._config is None or client.is_trusted_by(self._config):
            return True
        return self.connections.count(client.address.decode("ascii")) < limit
