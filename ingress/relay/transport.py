"""
The connections of relays to endpoints.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IConnector
from twisted.internet.protocol import ClientFactory

from ingress.transports.connector import connect
from ingress.transports.view_transport import ViewTransport


def connect_relay(
    reactor: Any, host: str, port: int, factory: ClientFactory[Any], timeout: float
) -> IConnector:
    """Connect like `ingress.transports.connector.connect`, with a `ViewTransport`."""
    return connect(reactor, host, port, factory, timeout, ViewTransport)
