"""
The factory of the connections of a TCP service.
"""

from __future__ import annotations

from functools import partial

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory

from ingress.downstream.clients import Clients
from ingress.exchange.client import Client
from ingress.port_service import PortKey
from ingress.proxy_protocol import Version
from ingress.relay.proxy_header import proxy_header
from ingress.relay.relay import Relay, RelaySide
from ingress.relay.resources import RelayResources


class PortFactory(Factory):
    """
    Makes the client's side of a relay for each connection.

    :param clients: what all connections of clients share.
    :param relays: what all relays share.
    :param key: the port, whose Service is that of the Snapshot of the moment.
    """

    noisy = False

    def __init__(self, clients: Clients, relays: RelayResources, key: PortKey) -> None:
        self._clients = clients
        self._relays = relays
        self._key = key

    def buildProtocol(  # type: ignore[override]  # An IProtocol, not a Protocol.
        self, addr: IAddress | None
    ) -> RelaySide | None:
        """IProtocolFactory: None closes the connection of a client that is at its limit."""
        service = self._relays.service(self._key)
        client = Client(getattr(addr, "host", ""), is_secure=False)
        if service is None or not self._clients.admission.admit(client):
            return None
        address = client.name
        relay = Relay(self._relays, service.upstream, address, self._key.port)
        wanted = Version.V1 if service.proxy_out else None
        relay.preface = partial(proxy_header, addr, wanted)
        return relay.client
