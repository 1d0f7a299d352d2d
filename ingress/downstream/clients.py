"""
What all connections of clients share: how many there are, and how many there may be.
"""

from __future__ import annotations

from typing import Final

from ingress.config import Config, Limits
from ingress.downstream.accepting_port import ConnectionLimit
from ingress.downstream.admission import Admission
from ingress.downstream.open_connections import OpenConnections

_DEFAULT_LIMITS: Final = Limits()


class Clients:
    """The client connections of a process, over all listeners."""

    def __init__(self) -> None:
        self.connections = OpenConnections()
        self.connection_limit = ConnectionLimit(_DEFAULT_LIMITS.connections)
        """Of all clients together."""

        self.admission = Admission(self.connections, self.connection_limit)
        self.limits = _DEFAULT_LIMITS
        """Those of the configuration in force."""

        self.is_draining = False
        """Whether answers must say ``Connection: close`` because the process ends."""

    def __repr__(self) -> str:
        return f"<Clients {self.connections}>"

    def apply(self, config: Config) -> None:
        """Do as the configuration says from now on."""
        self.limits = config.limits
        self.connection_limit.apply(config.limits)
        self.admission.apply(config)
