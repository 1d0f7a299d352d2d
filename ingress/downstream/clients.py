"""
What all connections of clients share: their number, and its limits.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from ingress.config import Config, Limits
from ingress.downstream.admission import Admission
from ingress.downstream.connection_limit import ConnectionLimit
from ingress.downstream.open_connections import OpenConnections
from ingress.http2.counts import HTTP2Counts

_DEFAULT_LIMITS: Final = Limits()


class Clients:
    """The client connections of a process, over all listeners."""

    def __init__(self) -> None:
        self.connections = OpenConnections()
        self.connection_limit = ConnectionLimit(_DEFAULT_LIMITS.connections)
        """The limit for all clients together."""

        self.admission = Admission(self.connections, self.connection_limit)
        self.limits = _DEFAULT_LIMITS
        """The limits of the configuration in force."""

        self.http2 = HTTP2Counts()
        """What clients of HTTP/2 did, and their open connections."""

        self.refused_openings: Counter[str] = Counter()
        """Connections that were closed because they did not begin as they must, by reason."""

        self.is_draining = False
        """Whether responses must say ``Connection: close`` because the process ends."""

    def __repr__(self) -> str:
        return f"<Clients {self.connections}>"

    def apply(self, config: Config) -> None:
        """Apply a new configuration to all connections."""
        self.limits = config.limits
        self.connection_limit.apply(config.limits)
        self.admission.apply(config)
