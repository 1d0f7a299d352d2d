"""
TLS towards the API server: verification of its certificate, and our own certificate.

OpenSSL checks that the chain ends at a trusted certificate; service-identity checks that the
certificate is valid for the name or the IP address. Twisted's `optionsForClientTLS` is not used:
it accepts a certificate without names, and does not say what is wrong with a chain.
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakMethod

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import (
    verify_certificate_hostname,
    verify_certificate_ip_address,
)
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from ingress.errors import IngressError
from ingress.kube.api.credentials import ClientCertificate
from ingress.kube.api.server import Server, is_ip_address
from ingress.openssl import use_certificate, verification_error_text
from ingress.transports.tls_channel import clear_errors

_VerifyCallback = Callable[[SSL.Connection, crypto.X509, int, int, int], bool]


class TLSRefused(IngressError):
    """The server's certificate is not accepted."""


class UnusableTLS(IngressError):
    """OpenSSL cannot use our certificate, our key or the CA."""


@implementer(IOpenSSLClientConnectionCreator)
class ClientTLS:
    """
    Makes the client's side of connections to one server.

    :param certificate: ours.
    :raises UnusableTLS: if it or the server's CA cannot be used.
    """

    def __init__(self, server: Server, certificate: ClientCertificate | None = None) -> None:
        self._server_name = server.server_name or server.host
        self._is_verified = server.is_verified
        try:
            self._context = _make_context(server, certificate)
        except (SSL.Error, crypto.Error, ValueError, TypeError, UnsupportedAlgorithm) as error:
            clear_errors()
            raise UnusableTLS(str(error)) from error

    def __repr__(self) -> str:
        return f"<ClientTLS for {self._server_name}{'' if self._is_verified else ', unverified'}>"

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Make a connection before its handshake (`IOpenSSLClientConnectionCreator`)."""
        connection = SSL.Connection(self._context, None)
        if not is_ip_address(self._server_name):
            connection.set_tlsext_host_name(self._server_name.rstrip(".").encode("ascii"))
        if self._is_verified:
            # A weak reference, because the protocol refers to the connection.
            refuse = WeakMethod(tlsProtocol.failVerification)
            connection.set_verify(SSL.VERIFY_PEER, _make_verifier(self._server_name, refuse))
        return connection


def _make_context(server: Server, certificate: ClientCertificate | None) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    # Without ALPN the server speaks HTTP/1.1.
    if certificate is not None:
        use_certificate(context, certificate.chain_pem, certificate.key_pem)
    if server.is_verified:
        if server.ca_pem is None:
            context.set_default_verify_paths()
        else:
            _trust(context, server.ca_pem)
    return context


def _trust(context: SSL.Context, ca_pem: bytes) -> None:
    store = context.get_cert_store()
    assert store is not None
    for certificate in x509.load_pem_x509_certificates(ca_pem):
        store.add_cert(crypto.X509.from_cryptography(certificate))
    # As in client-go, a given certificate is trusted even if it is not a root.
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)


def _make_verifier(
    server_name: str, refuse: WeakMethod[Callable[[Failure], None]]
) -> _VerifyCallback:
    """
    :param refuse: called with the reason of a failure.
    """

    def verify(_: SSL.Connection, found: crypto.X509, error: int, depth: int, is_fine: int) -> bool:
        # OpenSSL loses exceptions of this callback, so every fault is a refusal.
        try:
            if not is_fine:
                raise TLSRefused(
                    f"its certificate is not accepted: {verification_error_text(error)}"
                )
            if depth == 0:
                _check_name(found.to_cryptography(), server_name)
        except Exception:
            tell = refuse()
            if tell is not None:
                tell(Failure())
            return False
        return True

    return verify


def _check_name(certificate: x509.Certificate, server_name: str) -> None:
    check = (
        verify_certificate_ip_address if is_ip_address(server_name) else verify_certificate_hostname
    )
    try:
        check(certificate, server_name.rstrip("."))
    except (VerificationError, CertificateError, ValueError) as error:
        raise TLSRefused(f"its certificate is not valid for {server_name}") from error
