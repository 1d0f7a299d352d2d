"""
These transports for the ports of Twisted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ingress.transports.socket_descriptor import socket_address
from ingress.transports.socket_transport import SocketTransport


def as_server(
    make_transport: Callable[[Any, Any, Any], SocketTransport] = SocketTransport,
) -> Callable[..., SocketTransport]:
    """
    Let a `tcp.Port` or `unix.Port` make such transports::

        port = reactor.listenTCP(8080, factory)
        port.transport = as_server()
        tls_port.transport = as_server(partial(TLSTransport, side))

    :param make_transport: called with the socket, the reactor and the address of the peer.
    :return: to be called as `tcp.Server` is.
    """

    def make(
        sock: Any, protocol: Any, client: Any, port: Any, number: int, reactor: Any
    ) -> SocketTransport:
        transport = make_transport(sock, reactor, socket_address(sock.family, client))
        # Protocols here write whole messages (RFC 9293 section 3.7.4).
        transport.setTcpNoDelay(True)
        transport.protocol = protocol
        transport.startReading()
        return transport

    return make
