"""
The factory of client connections in HTTP/1.1.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory

from ingress.downstream.http1 import HTTP1Downstream
from ingress.exchange.client import Client
from ingress.exchange.data_plane import DataPlane


class HTTP1Factory(Factory):
    """
    Makes the protocols of one listener.

    :param is_secure: whether its clients connect over TLS.
    """

    noisy = False

    def __init__(self, plane: DataPlane, *, is_secure: bool) -> None:
        self._plane = plane
        self._is_secure = is_secure

    def buildProtocol(  # type: ignore[override]  # An IProtocol, not a Protocol.
        self, addr: IAddress | None
    ) -> HTTP1Downstream | None:
        """IProtocolFactory: None closes a connection beyond the limit of its client."""
        plane = self._plane
        client = Client(getattr(addr, "host", ""), is_secure=self._is_secure)
        plane.accepted += 1
        if not plane.may_connect(client):
            plane.refused += 1
            return None
        return HTTP1Downstream(plane, client)
