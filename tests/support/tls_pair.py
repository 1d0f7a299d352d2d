"""
A TLS transport of ours on one end of a TCP connection, Python's `ssl` on the other.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from cryptography import x509
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from ingress.frontend.self_signed import make_self_signed
from ingress.frontend.tls import TLSContexts
from ingress.frontend.tls_transport import OpenConnection, TLSServer, tls_transports
from ingress.tls_stream import RECORD_SIZE
from tests.support.hand_reactor import HandReactor, tcp_pair
from tests.support.recording_protocol import RecordingProtocol

T = TypeVar("T")

SELF_SIGNED = make_self_signed(datetime.now(UTC))


def make_transport(
    open_connection: OpenConnection, protocol: RecordingProtocol, buffer_size: int | None = None
) -> tuple[TLSServer, HandReactor, socket.socket]:
    """
    A transport as a port makes it.

    :param buffer_size: of the kernel's buffers.
    :return: the transport, the reactor that it is in, and the peer's end.
    """
    reactor = HandReactor()
    near, far = tcp_pair(buffer_size)
    far.setblocking(False)
    tcp_class, _ = tls_transports(open_connection)
    transport = tcp_class(near, protocol, near.getpeername(), None, 0, reactor)
    protocol.makeConnection(transport)
    return transport, reactor, far


class TLSPair:
    """
    Both ends, driven by hand.

    :param server_name: the client's SNI.
    :param client: the client's settings; those of `client_context` if None.
    :param session: one that the client would like to resume.
    """

    def __init__(
        self,
        contexts: TLSContexts | None = None,
        *,
        protocol: RecordingProtocol | None = None,
        buffer_size: int | None = None,
        server_name: str | None = "a.example",
        client: ssl.SSLContext | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        contexts = contexts or TLSContexts(lambda: None, SELF_SIGNED)
        self.protocol = protocol or RecordingProtocol()
        self.transport, self.reactor, far = make_transport(
            contexts.open_connection, self.protocol, buffer_size
        )
        self.client = (client or client_context()).wrap_socket(
            far,
            server_hostname=server_name,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
            session=session,
        )

    def shake_hands(self) -> TLSPair:
        """
        Do the handshake. The tickets that TLS 1.3 sends after it come with the first `read`.

        :raises ssl.SSLError: if the client is refused, or refuses.
        """
        self.drive(self.client.do_handshake)
        self.reactor.turn_until(lambda: self.transport.has_shaken_hands)
        return self

    def drive(self, call: Callable[[], T]) -> T:
        """Repeat a call of the client's, and turn the reactor, until it has what it wants."""
        while True:
            try:
                return call()
            except ssl.SSLWantReadError:
                self.reactor.turn_until(self._can_read, self.client)
            except ssl.SSLWantWriteError:
                self.reactor.turn_until(self._can_write)

    def read(self, wanted: int) -> bytes:
        """
        What the client gets: so many bytes, or all up to the end.

        :raises ssl.SSLError: if the connection ends otherwise than with close_notify.
        """
        got = b""
        while len(got) < wanted and (data := self.drive(lambda: self.client.recv(wanted))):
            got += data
        return got

    def has_ended(self) -> bool:
        """Whether the client has read all, and next comes the server's close_notify."""
        return self.drive(lambda: self.client.recv(1)) == b""

    def send(self, data: bytes) -> None:
        """Let the client send `data`, and the protocol get all of it."""
        wanted = len(self.protocol.received) + len(data)
        while data:
            data = data[self.drive(partial(self.client.send, data[:RECORD_SIZE])) :]
        self.reactor.turn_until(lambda: len(self.protocol.received) == wanted)

    def _can_read(self) -> bool:
        return bool(select.select([self.client], [], [], 0)[0])

    def _can_write(self) -> bool:
        return bool(select.select([], [self.client], [], 0)[1])

    def close(self) -> None:
        """Both ends, whatever state they are in."""
        self.client.close()
        self.transport.connectionLost(Failure(ConnectionLost()))


def client_context(
    version: ssl.TLSVersion | None = None,
    *,
    root_pem: bytes | None = None,
    protocols: tuple[str, ...] = ("http/1.1",),
) -> ssl.SSLContext:
    """
    A client's settings.

    :param version: the only one that it speaks.
    :param root_pem: whom it trusts; without, it does not look at the certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if root_pem is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(cadata=root_pem.decode("ascii"))
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def served_names(pair: TLSPair) -> list[str]:
    """The DNS names of the certificate that the client was shown."""
    der = pair.client.getpeercert(binary_form=True)
    assert der is not None
    extensions = x509.load_der_x509_certificate(der).extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName)
