"""
TLS towards endpoints: contexts, the identity of endpoints, and sessions to resume.

Where an Ingress asks for verification, an endpoint's chain must end below the
certificates of its Secret, which OpenSSL checks, and its certificate must be one
for the name that the Route expects, which service-identity checks (RFC 9525: the
common name is not looked at). Nothing is sent before both are done.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import (
    verify_certificate_hostname,
    verify_certificate_ip_address,
)
from twisted.logger import Logger

from ingress.address import pack_address
from ingress.endpoint import Endpoint
from ingress.openssl import (
    Connection,
    is_resumed,
    use_certificate,
    verification_fault,
)
from ingress.policy.backend_tls import BackendTLS
from ingress.transports.connector import connect
from ingress.transports.tls_channel import TLSChannel, TLSSide, clear_errors
from ingress.transports.tls_transport import TLSTransport
from ingress.upstream.dialer import Dialer

SESSION_LIFETIME = 600.0
"""
Seconds for which a session is resumed. The endpoint shows no certificate
meanwhile, so that one that expires is noticed as much later.
"""

QUIET_TIME = 60.0
"""Seconds between two lines of the log about the same endpoint, each of whose dials may fail."""

_VERSIONS = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}


class UnusableTLS(SSL.Error):
    """OpenSSL takes no context of these settings."""


class WrongEndpoint(SSL.Error):
    """The peer of the handshake is not the wanted endpoint."""


class ClientContexts:
    """One context for equal settings, as long as something refers to it."""

    def __init__(self) -> None:
        self._contexts: WeakValueDictionary[BackendTLS, SSL.Context] = WeakValueDictionary()

    def __repr__(self) -> str:
        return f"<ClientContexts: {len(self._contexts)} made>"

    def context(self, tls: BackendTLS) -> SSL.Context:
        """
        :raises UnusableTLS: if OpenSSL refuses the settings.
        """
        found = self._contexts.get(tls)
        if found is None:
            try:
                found = make_client_context(tls)
            except (SSL.Error, crypto.Error, ValueError, TypeError, UnsupportedAlgorithm) as error:
                clear_errors()
                raise UnusableTLS(f"the settings cannot be used: {error}") from error
            self._contexts[tls] = found
        return found


def make_client_context(tls: BackendTLS) -> SSL.Context:
    """
    The context for `tls`, without what depends on the endpoint.

    :raises SSL.Error: if OpenSSL refuses some of it; crypto.Error, ValueError,
        TypeError and UnsupportedAlgorithm where certificate or key are at fault.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    versions = [_VERSIONS[name] for name in tls.protocols]
    context.set_min_proto_version(min(versions))
    context.set_max_proto_version(max(versions))
    context.set_cipher_list(tls.ciphers.encode("ascii"))
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    # Idle connections keep no buffers, as on the client's side.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    # Sessions are kept for each endpoint, by `EndpointTLS`.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_alpn_protos(list(tls.alpn))
    if tls.chain_pem is not None and tls.key_pem is not None:
        use_certificate(context, tls.chain_pem, tls.key_pem)
    if tls.is_verified:
        _verify(context, tls)
    else:
        # An endpoint that is not verified may as well cut a response short. Many servers send no
        # close_notify, and nginx does not require one.
        context.set_options(SSL.OP_IGNORE_UNEXPECTED_EOF)
    return context


def _verify(context: SSL.Context, tls: BackendTLS) -> None:
    if tls.trusts_system:
        context.set_default_verify_paths()
        context.set_verify_depth(tls.verify_depth)
        context.set_verify(SSL.VERIFY_PEER)
        return
    if tls.ca_pem is None:
        raise ValueError("there is nothing to verify certificates by")
    store = context.get_cert_store()
    assert store is not None
    for certificate in x509.load_pem_x509_certificates(tls.ca_pem):
        store.add_cert(crypto.X509.from_cryptography(certificate))
    # What the Secret holds is trusted as it is, also where it is no root.
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    context.set_verify_depth(tls.verify_depth)
    context.set_verify(SSL.VERIFY_PEER)


class EndpointTLS(TLSSide):
    """
    Our side of TLS with one endpoint, and its session. It belongs to the endpoint's pool, and
    lives as long.

    :param contexts: has the context of the settings.
    :param tls: the settings.
    :param endpoint: the endpoint.
    :param now: a clock, in seconds.
    """

    log = Logger()

    def __init__(
        self,
        contexts: ClientContexts,
        tls: BackendTLS,
        endpoint: Endpoint,
        now: Callable[[], float],
    ) -> None:
        self.endpoint = endpoint
        self.server_name = tls.server_name(endpoint.name or endpoint.host)
        """The name that it must have if it is verified."""

        self._contexts = contexts
        self._tls = tls
        self._now = now
        self._context: SSL.Context | None = None
        self._session: SSL.Session | None = None
        self._session_ends = 0.0
        self._is_quiet_until = float("-inf")

    def __repr__(self) -> str:
        return f"<EndpointTLS {self.endpoint} as {self.server_name}>"

    def open_channel(self, sock: socket.socket) -> TLSChannel:
        """TLSSide."""
        if self._context is None:
            self._context = self._contexts.context(self._tls)
        connection = Connection(self._context, sock)
        if self._tls.sends_name:
            connection.set_tlsext_host_name(self.server_name.encode("ascii"))
        if self._session is not None:
            if self._now() < self._session_ends:
                connection.set_session(self._session)
            else:
                self._session = None
        connection.set_connect_state()
        return TLSChannel(connection)

    def accept(self, channel: TLSChannel) -> None:
        """
        TLSSide: check the peer; OpenSSL has checked the chain.

        :raises WrongEndpoint: if it was not the endpoint that is wanted.
        """
        connection = channel.connection
        protocol = connection.get_alpn_proto_negotiated()
        if protocol and protocol not in self._tls.alpn:
            raise WrongEndpoint(f"it speaks {protocol!r}")
        if self._tls.is_verified:
            certificate = connection.get_peer_certificate(as_cryptography=True)
            if certificate is None:
                raise WrongEndpoint("it has no certificate")
            try:
                _verify_name(certificate, self.server_name)
            except (VerificationError, CertificateError, ValueError) as error:
                raise WrongEndpoint(f"its certificate is not one for {self.server_name}") from error
        connection.set_app_data(self._now())

    def ended(self, channel: TLSChannel) -> None:
        """TLSSide: the session of the connection may save the next one work."""
        connection = channel.connection
        # A session that was resumed from another one is as old as that one.
        if not is_resumed(connection):
            ends = connection.get_app_data() + SESSION_LIFETIME
            if ends >= self._session_ends:
                self._session, self._session_ends = connection.get_session(), ends

    def failed(self, channel: TLSChannel | None, error: SSL.Error) -> str:
        """TLSSide."""
        self._session = None
        verified = channel if self._tls.is_verified else None
        reason = _reason(verified.connection if verified is not None else None, error)
        now = self._now()
        if now >= self._is_quiet_until:
            self._is_quiet_until = now + QUIET_TIME
            self.log.warn(
                "TLS with endpoint {endpoint} failed: {reason}",
                endpoint=self.endpoint,
                reason=reason,
            )
        return reason


def tls_dialers(reactor: Any) -> Callable[[Endpoint, BackendTLS], Dialer]:
    """
    :param reactor: an `IReactorFDSet` that is an `IReactorTime` as well.
    :return: makes the `Dialer` of the pool for an endpoint and how it is spoken to.
    """
    contexts = ClientContexts()

    def dialer(endpoint: Endpoint, tls: BackendTLS) -> Dialer:
        side = EndpointTLS(contexts, tls, endpoint, reactor.seconds)
        return partial(connect, reactor, make_transport=partial(TLSTransport, side))

    return dialer


def _verify_name(certificate: x509.Certificate, name: str) -> None:
    """
    :param name: a host name, or an address.
    :raises VerificationError, CertificateError, ValueError: if it is not in the certificate.
    """
    if pack_address(name) is None:
        verify_certificate_hostname(certificate, name)
    else:
        verify_certificate_ip_address(certificate, name)


def _reason(connection: SSL.Connection | None, error: SSL.Error) -> str:
    fault = verification_fault(connection) if connection is not None else ""
    if fault and not isinstance(error, WrongEndpoint):
        return f"its certificate is not accepted: {fault}"
    if isinstance(error, SSL.SysCallError):
        return "it ended the connection"
    detail = error.args[0] if error.args else ""
    if isinstance(detail, list):
        # OpenSSL's queue: library, function and reason of each.
        detail = ", ".join(entry[-1] for entry in detail)
    return str(detail) or "it broke the protocol"
