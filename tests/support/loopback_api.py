"""
A server on the loopback interface with scripted answers, with or without TLS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cryptography import x509
from OpenSSL import crypto
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ServerFactory
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    trustRootFromCertificates,
)
from twisted.protocols.tls import TLSMemoryBIOFactory

from tests.support.certs import Issued
from tests.support.replay import Request, ServerProtocol


class _Protocol(ServerProtocol):
    """Writes everything that is due at once."""

    factory: LoopbackAPI

    def connectionMade(self) -> None:
        self.factory.connections.append(self)

    def data_received(self) -> None:
        while self.write_next():
            pass

    def connectionLost(self, reason: Any = None) -> None:
        super().connectionLost(reason)
        self.factory.lost()


class LoopbackAPI(ServerFactory):
    """
    :param answer: as for `ServerProtocol`.
    """

    noisy = False

    def __init__(self, answer: Callable[[Request], Sequence[bytes | None]]) -> None:
        self.requests: list[Request] = []
        self.connections: list[_Protocol] = []
        self._answer = answer
        self._waiting: Deferred[None] | None = None

    def buildProtocol(self, addr: Any) -> Any:
        protocol = _Protocol(self._note)
        protocol.factory = self
        return protocol

    def listen(
        self,
        reactor: Any,
        certificate: Issued | None = None,
        client_ca: bytes | None = None,
        interface: str = "127.0.0.1",
    ) -> Any:
        """
        :param client_ca: the authority that must have issued the clients' certificates.
        :return: the port.
        """
        factory: Any = self
        if certificate is not None:
            factory = TLSMemoryBIOFactory(_options(certificate, client_ca), False, self)
        return reactor.listenTCP(0, factory, interface=interface)

    def answer_nothing(self) -> None:
        """Answer nothing from now on."""
        self._answer = lambda _: []

    async def all_lost(self) -> None:
        """Wait until there are no connections."""
        while not all(each.is_lost for each in self.connections):
            self._waiting = Deferred()
            await self._waiting

    def lost(self) -> None:
        """Note that a connection is gone."""
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    def _note(self, request: Request) -> Sequence[bytes | None]:
        self.requests.append(request)
        return self._answer(request)


def _options(certificate: Issued, client_ca: bytes | None) -> CertificateOptions:
    chain = x509.load_pem_x509_certificates(certificate.chain_pem)
    trust = None
    if client_ca is not None:
        trust = trustRootFromCertificates([Certificate.loadPEM(client_ca)])
    own = PrivateCertificate.loadPEM(certificate.key_pem + certificate.chain_pem)
    return CertificateOptions(
        privateKey=own.privateKey.original,
        certificate=own.original,
        extraCertChain=[crypto.X509.from_cryptography(each) for each in chain[1:]],
        trustRoot=trust,
    )
