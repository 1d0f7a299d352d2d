"""
Factories of the protocols of client connections, one for each kind of listener.
"""

from __future__ import annotations

from functools import partial

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory

from ingress.downstream.clients import Clients
from ingress.downstream.handshake import Handshake
from ingress.downstream.http1 import HTTP1Downstream
from ingress.downstream.http2 import HTTP2Downstream
from ingress.exchange.client import Client
from ingress.exchange.exchange_resources import ExchangeResources
from ingress.transports.stream import StreamProtocol


class HTTP1Factory(Factory):
    """
    Makes the protocols of a listener whose clients speak HTTP/1.1 from the first byte on.

    :param clients: what all connections of clients share.
    :param exchanges: what all exchanges share.
    :param is_secure: whether the clients count as clients over TLS.
    """

    noisy = False

    def __init__(self, clients: Clients, exchanges: ExchangeResources, *, is_secure: bool) -> None:
        self._clients = clients
        self._exchanges = exchanges
        self._is_secure = is_secure

    def buildProtocol(  # type: ignore[override]  # An IProtocol, not a Protocol.
        self, addr: IAddress | None
    ) -> StreamProtocol | None:
        """IProtocolFactory: None closes the connection of a client that is at its limit."""
        # A proxy in front may have ended TLS for the client (`ingress.downstream.opening`).
        is_secure = self._is_secure or getattr(addr, "is_secure", False)
        client = Client(
            getattr(addr, "host", ""), is_secure=is_secure, port=getattr(addr, "port", 0)
        )
        client.is_in_clear = not self._is_secure
        return self.make_protocol(client) if self._clients.admission.admit(client) else None

    def make_protocol(self, client: Client) -> StreamProtocol:
        """Make the protocol of an admitted client."""
        return HTTP1Downstream(self._clients, self._exchanges, client)


class TLSFactory(HTTP1Factory):
    """Makes the protocols of a listener whose clients agree on one in the TLS handshake."""

    def __init__(self, clients: Clients, exchanges: ExchangeResources) -> None:
        super().__init__(clients, exchanges, is_secure=True)

    def make_protocol(self, client: Client) -> StreamProtocol:
        deadlines = self._exchanges.calls.deadlines
        return Handshake(self._clients, deadlines, client, partial(self._agreed, client))

    def _agreed(self, client: Client, negotiated: bytes | None) -> StreamProtocol:
        """
        Make the protocol for what the handshake has agreed on.

        :param negotiated: the name that ALPN agreed on; None if the client knows no ALPN.
        """
        if negotiated == b"h2":
            return HTTP2Downstream(self._clients, self._exchanges, client)
        return HTTP1Downstream(self._clients, self._exchanges, client)
