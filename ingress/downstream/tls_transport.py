"""
Server transports that run OpenSSL on the socket itself.

The protocol's `connectionMade` runs when the connection is accepted, before the
handshake, so that the time limit of a request's head covers the handshake too. Data
that the protocol writes before the end of the handshake is sent after it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHandshakeListener

from ingress.client_session import ClientSession
from ingress.openssl import client_session
from ingress.tls_stream import TLSStream
from ingress.transport import ImmediateServer, ImmediateUNIXServer, with_own_code

OpenConnection = Callable[[socket.socket], SSL.Connection]
"""Makes the server's side of a TLS connection on an accepted socket."""


class _Accepted(TLSStream):
    """The server's side."""

    server_name: str | None = None
    """The client's SNI as sent; None before the handshake, or if the client sent none."""

    client_session: ClientSession | None = None
    """The handshake, if that has asked the client for a certificate."""

    open_connection: OpenConnection
    """An attribute of the class, which `tls_transports` sets."""

    def __init__(self, sock: socket.socket, *arguments: Any) -> None:
        # This comes first: the reactor watches a transport as soon as it is made.
        self._tls = self.open_connection(sock)
        super().__init__(sock, *arguments)

    def _handshake_done(self) -> ConnectionLost | None:
        name = self._tls.get_servername()
        self.server_name = name.decode("latin-1") if name else None
        self.client_session = client_session(self._tls)
        if self._tempDataLen or self.dataBuffer or self.disconnecting or self._writeDisconnecting:
            self.startWriting()  # type: ignore[no-untyped-call]
        else:
            self.stopWriting()  # type: ignore[no-untyped-call]
        if IHandshakeListener.providedBy(self.protocol):
            self.protocol.handshakeCompleted()
        return None


@with_own_code
class TLSServer(_Accepted, ImmediateServer):
    """An accepted TCP connection over TLS."""


@with_own_code
class TLSUNIXServer(_Accepted, ImmediateUNIXServer):
    """An accepted connection of a UNIX socket over TLS."""


def tls_transports(open_connection: OpenConnection) -> tuple[type[TLSServer], type[TLSUNIXServer]]:
    """
    Make the transports of one TLS listener.

    :return: a class for its TCP ports and one for its UNIX sockets, to be called
        as `tcp.Server` is.
    """
    bound = {"open_connection": staticmethod(open_connection)}
    return type("TLSServer", (TLSServer,), bound), type("TLSUNIXServer", (TLSUNIXServer,), bound)
