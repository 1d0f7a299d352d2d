"""
Our TLS transport on one end of a TCP connection, and Python's `ssl` on the other.

`TLSPair` has our server's side, `DialledPair` our client's.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar, cast

from cryptography import x509
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from ingress.downstream.self_signed import make_self_signed
from ingress.downstream.tls import TLSContexts
from ingress.transports.connector import connect
from ingress.transports.tls_channel import RECORD_SIZE, TLSSide
from ingress.transports.tls_transport import TLSTransport
from ingress.upstream.tls import EndpointTLS
from tests.support.certs import Issued
from tests.support.hand_reactor import HandReactor, tcp_pair
from tests.support.recording_protocol import RecordingProtocol

T = TypeVar("T")

SELF_SIGNED = make_self_signed(datetime.now(UTC))


def make_transport(
    side: TLSSide, protocol: RecordingProtocol, buffer_size: int | None = None
) -> tuple[TLSTransport, HandReactor, socket.socket]:
    """
    Make a transport as a port does.

    :param buffer_size: the size of the kernel's buffers.
    :return: the transport, its reactor, and the peer's end.
    """
    reactor = HandReactor()
    near, far = tcp_pair(buffer_size)
    far.setblocking(False)
    transport = TLSTransport(side, near, reactor, None)
    transport.start(protocol)
    return transport, reactor, far


class TLSPair:
    """
    Both ends of a connection, driven by hand.

    :param server_name: the client's SNI.
    :param client: the client's settings; those of `client_context` if None.
    :param session: a session that the client tries to resume.
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
        self.transport, self.reactor, far = make_transport(contexts, self.protocol, buffer_size)
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
        """Repeat a call of the client, and turn the reactor, until the call succeeds."""
        return drive(self.reactor, self.client, call)

    def read(self, wanted: int) -> bytes:
        """
        Read this many bytes on the client's side, or everything up to the end.

        :raises ssl.SSLError: if the connection ends without close_notify.
        """
        got = b""
        while len(got) < wanted and (data := self.drive(lambda: self.client.recv(wanted))):
            got += data
        return got

    def has_ended(self) -> bool:
        """Return whether the client has read everything up to the server's close_notify."""
        return self.drive(lambda: self.client.recv(1)) == b""

    def send(self, data: bytes) -> None:
        """Send `data` from the client, and let the protocol receive all of it."""
        wanted = len(self.protocol.received) + len(data)
        while data:
            data = data[self.drive(partial(self.client.send, data[:RECORD_SIZE])) :]
        self.reactor.turn_until(lambda: len(self.protocol.received) == wanted)

    def close(self) -> None:
        """Both ends, whatever state they are in."""
        self.client.close()
        self.transport.connectionLost(Failure(ConnectionLost()))


class Dial(ClientFactory):
    """
    One attempt to connect.

    :ivar built: the protocol; None until there is a connection.
    :ivar failure: why the attempt failed; None if it has not failed.
    """

    noisy = False

    def __init__(self) -> None:
        self.built: RecordingProtocol | None = None
        self.failure: Failure | None = None

    @property
    def is_over(self) -> bool:
        return self.built is not None or self.failure is not None

    def buildProtocol(self, address: object) -> RecordingProtocol:
        self.built = RecordingProtocol()
        return self.built

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        self.failure = reason


class DialledPair:
    """
    A connection to an endpoint that is driven by hand.

    :param endpoint_tls: our settings for the connection.
    :param server: the endpoint's settings; None for only its plain socket in `far`.
    :param reactor: the reactor whose clock governs timeouts.
    :ivar dial: the attempt to connect.
    :ivar far: the endpoint's plain socket.
    :ivar server: the endpoint's side over TLS, before the handshake.
    """

    def __init__(
        self,
        endpoint_tls: EndpointTLS,
        server: ssl.SSLContext | None,
        reactor: HandReactor | None = None,
        timeout: float = 5,
    ) -> None:
        self.reactor = reactor or HandReactor()
        self.dial = Dial()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            self.connector = connect(
                self.reactor,
                "127.0.0.1",
                port,
                self.dial,
                timeout,
                partial(TLSTransport, endpoint_tls),
            )
            self.far, _ = listening.accept()
            self.reactor.turn_until(lambda: self.connector.transport or self.dial.is_over)
            self.transport = cast(TLSTransport, self.connector.transport)
            """None if the attempt failed at once."""
        self.far.setblocking(False)
        if server is not None:
            self.server = self.far = server.wrap_socket(
                self.far,
                server_side=True,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
            )

    @property
    def protocol(self) -> RecordingProtocol:
        assert self.dial.built is not None
        return self.dial.built

    def shake_hands(self) -> DialledPair:
        """
        Do the handshake until our side has finished it, with or without success.

        :raises ssl.SSLError: if the endpoint is refused, or refuses.
        """
        self.drive(self.server.do_handshake)
        self.reactor.turn_until(lambda: self.dial.is_over, self.far)
        return self

    def drive(self, call: Callable[[], T]) -> T:
        """Repeat a call of the endpoint, and turn the reactor, until the call succeeds."""
        return drive(self.reactor, self.server, call)

    def exchange(self, data: bytes = b"hello") -> None:
        """Send `data` from the endpoint, and let it receive the same from us."""
        before = len(self.protocol.received)
        self.drive(partial(self.server.send, data))
        self.reactor.turn_until(lambda: len(self.protocol.received) == before + len(data))
        self.protocol.transport.write(data)
        assert self.drive(partial(self.server.recv, RECORD_SIZE)) == data

    def close(self) -> None:
        """Both ends, whatever state they are in."""
        self.far.close()
        if self.connector.transport is not None:
            self.transport.connectionLost(Failure(ConnectionLost()))
        self.reactor.turn()


def drive(reactor: HandReactor, peer: ssl.SSLSocket, call: Callable[[], T]) -> T:
    """Repeat a call of the peer, and turn the reactor, until the call succeeds."""

    def can_read() -> bool:
        return bool(select.select([peer], [], [], 0)[0])

    def can_write() -> bool:
        return bool(select.select([], [peer], [], 0)[1])

    while True:
        try:
            return call()
        except ssl.SSLWantReadError:
            reactor.turn_until(can_read, peer)
        except ssl.SSLWantWriteError:
            reactor.turn_until(can_write)


def server_context(
    issued: Issued,
    version: ssl.TLSVersion | None = None,
    *,
    root_pem: bytes | None = None,
    protocols: tuple[str, ...] = (),
) -> ssl.SSLContext:
    """
    Make an endpoint's settings.

    :param version: the only one that it speaks.
    :param root_pem: the authority of client certificates; None to request none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        chain, key = Path(folder, "tls.crt"), Path(folder, "tls.key")
        chain.write_bytes(issued.chain_pem)
        key.write_bytes(issued.key_pem)
        context.load_cert_chain(chain, key)
    if root_pem is not None:
        context.load_verify_locations(cadata=root_pem.decode("ascii"))
        context.verify_mode = ssl.CERT_REQUIRED
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def client_context(
    version: ssl.TLSVersion | None = None,
    *,
    root_pem: bytes | None = None,
    protocols: tuple[str, ...] = ("http/1.1",),
) -> ssl.SSLContext:
    """
    Make a client's settings.

    :param version: the only one that it speaks.
    :param root_pem: the authority to trust; None to ignore the certificate.
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
    """Return the DNS names of the certificate that the client received."""
    der = pair.client.getpeercert(binary_form=True)
    assert der is not None
    extensions = x509.load_der_x509_certificate(der).extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName)
