"""
Clients that speak HTTP/2 in the clear without having asked (RFC 9113 section 3.3).

Every connection in the clear begins as HTTP/1.1, which refuses the preface of HTTP/2. Only then is
the connection handed over, so that clients of HTTP/1.1 pay nothing for the question.

Over TLS the protocol is agreed on in the handshake (section 3.2). A load balancer that ends TLS has
done that with its client, and passes on what it gets: it comes in the clear.
"""

from __future__ import annotations

from typing import Final, Protocol

from ingress.config import Limits
from ingress.deadline import Timed
from ingress.downstream.clients import Clients
from ingress.downstream.http2 import HTTP2Downstream
from ingress.downstream.open_connections import ClientConnection
from ingress.exchange.client import Client
from ingress.exchange.exchange_resources import ExchangeResources
from ingress.transports.stream import StreamTransport

_FIRST_LINE: Final = b"PRI * HTTP/2.0\r\n"
"""The beginning of the preface, which no request of HTTP/1.1 has."""


def speaks_http2(received: bytes, client: Client, limits: Limits) -> bool:
    """
    Return whether a client has begun to speak HTTP/2, and may.

    :param received: what has come on its connection, which is no request of HTTP/1.1.
    """
    return received.startswith(_FIRST_LINE) and client.is_in_clear and limits.http2_streams > 0


class Departing(ClientConnection, Timed, Protocol):
    """A client connection that leaves its transport to another one."""

    transport: StreamTransport


def hand_over(
    connection: Departing,
    clients: Clients,
    exchanges: ExchangeResources,
    client: Client,
    received: bytes,
) -> None:
    """
    Give a connection to HTTP/2.

    :param connection: its protocol so far, which must do nothing from now on.
    :param received: what has come.
    """
    transport = connection.transport
    transport.unregisterProducer()
    protocol = HTTP2Downstream(clients, exchanges, client)
    transport.protocol = protocol
    protocol.makeConnection(transport)
    exchanges.calls.deadlines.forget(connection)
    # After the new one has been added, so that the connection is counted without a gap.
    clients.connections.discard(connection)
    protocol.dataReceived(received)
