"""
Connections over TLS that are passed on to an endpoint as they are: who may have one, and which
endpoints get it.
"""

from __future__ import annotations

import socket
from functools import partial
from typing import Any

from twisted.internet.interfaces import IAddress

from ingress.believed_client import BelievedClient
from ingress.downstream.accepting_port import AcceptingPort
from ingress.downstream.admission import Admission
from ingress.endpoint import UpstreamKey
from ingress.exchange.client import Client
from ingress.policy.client_limits import ClientLimits
from ingress.policy.gate import COUNTED
from ingress.policy.limiter import Limiter
from ingress.relay.proxy_header import proxy_header
from ingress.relay.relay import Relay
from ingress.relay.resources import RelayResources
from ingress.routing.match import find_passthrough
from ingress.routing.passthrough import Passthrough
from ingress.routing.snapshot import Snapshot
from ingress.telemetry.relay_outcome import RelayOutcome
from ingress.transports.view_transport import ViewTransport


class PassedConnections:
    """
    Passes connections on.

    :param admission: decides who gets a connection at all.
    :param relays: what all relays share.
    :param limiter: the state of limits.
    """

    def __init__(self, admission: Admission, relays: RelayResources, limiter: Limiter) -> None:
        self._admission = admission
        self._relays = relays
        self._limiter = limiter
        self._looked_at: Snapshot | None = None
        self._has_hosts = False

    def __repr__(self) -> str:
        return f"<PassedConnections of {self._relays}>"

    @property
    def has_hosts(self) -> bool:
        """Whether any host is passed through."""
        snapshot, before = self._relays.snapshot, self._looked_at
        if snapshot is not before:
            self._looked_at = snapshot
            # 10,000 hosts take half a millisecond, and most changes leave them as they are.
            if snapshot is None or before is None or not _has_same_hosts(snapshot, before):
                hosts = () if snapshot is None else snapshot.virtual_hosts()
                self._has_hosts = any(host.passthrough is not None for host in hosts)
        return self._has_hosts

    def find(self, server_name: bytes | None) -> Passthrough | None:
        """
        :param server_name: as `find_passthrough` takes it.
        :return: who gets the connection; None if TLS ends here.
        """
        snapshot = self._relays.snapshot
        return None if snapshot is None else find_passthrough(snapshot, server_name)

    def begin(
        self,
        port: AcceptingPort,
        accepted: socket.socket,
        address: Any,
        named: IAddress | None,
        found: Passthrough,
    ) -> None:
        """
        Pass on a connection of which nothing has been read, or close it.

        :param port: has accepted it.
        :param address: of the peer, as `socket.accept` has it.
        :param named: the address of the client as a header of the PROXY protocol has it; None for
            that of the peer.
        """
        host: str = address[0] if isinstance(address, tuple) else ""
        client = Client(getattr(named, "host", None) or host, is_secure=True)
        if not self._admission.admit(client):
            accepted.close()
            return
        name = accepted.getsockname()
        relay = Relay(
            self._relays,
            found.upstream or UpstreamKey(found.ingress[0], "", ""),
            client.name,
            name[1] if isinstance(name, tuple) else 0,
        )
        relay.preface = partial(proxy_header, named, None)
        relay.record.protocol, relay.record.host = "TLS", found.host
        believed = BelievedClient(client.address, b"", b"", is_secure=True, is_trusted=False)
        outcome, detail = self._refusal(found, believed, relay)
        if detail:
            relay.record.outcome, relay.record.detail = outcome, detail
            accepted.close()
            self._relays.recorder.relay_ended(relay.record)
            return
        port.adopt(accepted, address, ViewTransport, relay.client)

    def _refusal(
        self, found: Passthrough, client: BelievedClient, relay: Relay
    ) -> tuple[RelayOutcome, str]:
        """:return: why a client may not have the connection; an empty text if it may."""
        detail = found.refusal(client.address)
        if detail:
            return RelayOutcome.ACCESS_REFUSED, detail
        if found.limits is not None and not self._count(found.limits, client, relay):
            return RelayOutcome.LIMITED, "The client has as many connections as it may have."
        return RelayOutcome.OK, ""

    def _count(self, limits: ClientLimits, client: BelievedClient, relay: Relay) -> bool:
        """Count a connection as one request in progress, for as long as it is open."""
        gate = limits.gate
        limited = gate.limited(client)
        if limited.is_exempt:
            return True
        begun = gate.begin(limited, self._limiter)
        if begun is COUNTED:
            relay.on_end = partial(gate.ended, client, self._limiter)
        return begun is COUNTED or begun is None


def _has_same_hosts(one: Snapshot, other: Snapshot) -> bool:
    return one.hosts is other.hosts and one.wildcard_hosts is other.wildcard_hosts
