"""
A client's TLS connection during its handshake, which decides the protocol that follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import classImplements

from ingress.deadline import Deadlines
from ingress.downstream.clients import Clients
from ingress.exchange.client import Client
from ingress.openssl import client_session
from ingress.telemetry.record import ExchangeRecord
from ingress.transports.stream import StreamProtocol
from ingress.transports.tls_transport import TLSTransport

MakeProtocol = Callable[[bytes | None], StreamProtocol]
"""Makes the protocol that ALPN has agreed on; the argument is None if it has agreed on none."""


class Handshake(StreamProtocol):
    """
    Stands in the place of a connection's protocol until the handshake is done.

    :param clients: what all connections of clients share.
    :param client: learns what the handshake has established.
    :param deadlines: end a handshake that takes too long.
    :param make_protocol: makes the protocol that takes its place.
    """

    def __init__(
        self, clients: Clients, deadlines: Deadlines, client: Client, make_protocol: MakeProtocol
    ) -> None:
        self.address = client.name
        self.deadline = deadlines.now() + clients.limits.tls_handshake_timeout
        self._unsent = 0
        self._client = client
        self._clients = clients
        self._deadlines = deadlines
        self._make_protocol = make_protocol
        self._is_closing = False

    def __repr__(self) -> str:
        return f"<Handshake {self.address}>"

    @property
    def activity(self) -> str:
        """ClientConnection."""
        return "waiting"

    def in_flight(self) -> Sequence[ExchangeRecord]:
        """ClientConnection."""
        return ()

    def connectionMade(self) -> None:
        """IProtocol."""
        self._clients.connections.add(self)
        self._deadlines.watch(self)

    def handshakeCompleted(self) -> None:
        """IHandshakeListener."""
        transport = self.transport
        if isinstance(transport, TLSTransport) and transport.channel is not None:
            self._client.session = client_session(transport.channel.connection)
            transport.channel.let_go()
        protocol = self._make_protocol(transport.negotiated_protocol)
        transport.protocol = protocol
        protocol.makeConnection(transport)
        # Last, so that the connection is counted without a gap.
        self._deadlines.forget(self)
        self._clients.connections.discard(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """IProtocol."""
        self._deadlines.forget(self)
        self._clients.connections.discard(self)

    def close_if_idle(self) -> None:
        """ClientConnection."""
        self._is_closing = True
        self.deadline = self._deadlines.now() + self._clients.limits.send_timeout
        self.transport.loseConnection()

    def cut(self) -> None:
        """ClientConnection."""
        self.transport.abortConnection()

    def deadline_passed(self) -> None:
        """Timed."""
        if self._is_closing:
            self.transport.abortConnection()
        else:
            self.close_if_idle()


# Not a decorator, because the class is compiled.
classImplements(Handshake, IHandshakeListener)
