"""
The TLS contexts: a base context for all connections, and one for each certificate.

Every connection starts in the base context, which is made once, before any fork. Its
keys seal the session tickets, so a session can be resumed by any worker, even after its
certificate was replaced. The client's SNI then selects a certificate from the current
Snapshot, and the connection is switched to the context that holds it.
"""

from __future__ import annotations

import socket
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from OpenSSL import SSL, crypto
from twisted.logger import Logger

from ingress.client_session import ClientTrust
from ingress.config.nginx_settings import TLSParameters
from ingress.downstream.tls_parameters import apply_parameters, apply_to_connection
from ingress.openssl import (
    Connection,
    ask_for_certificate,
    set_session_context,
    trust_clients,
    use_certificate,
)
from ingress.routing.match import find_certificate, find_client_trust
from ingress.routing.snapshot import ServerCertificate, Snapshot
from ingress.transports.tls_channel import TLSChannel, TLSSide, clear_errors

TLS_1_3_SUITES = (
    b"TLS_AES_128_GCM_SHA256",
    b"TLS_AES_256_GCM_SHA384",
    b"TLS_CHACHA20_POLY1305_SHA256",
)
"""Those of Mozilla's "intermediate"; no setting changes them, as in nginx."""

SESSION_CONTEXT = b"txingress"
"""The same in all contexts: OpenSSL resumes a session only under the one it was made with."""

MAX_CONTEXTS = 1024
"""
How many certificates have a context at once; the least recently used one is dropped.
A context takes 26 KiB and 0.4 ms to make; 10,000 of them would take 260 MB.
"""


_USUAL: Final = TLSParameters()

_Key = tuple[str, str]
"""The fingerprints of a certificate, and of the authorities of clients; empty without any."""


class NoCommonProtocol(SSL.Error):
    """The client offered protocols by ALPN, and we speak none of them."""


class TLSContexts(TLSSide):
    """
    The server's side of TLS connections.

    :param current_snapshot: returns the published Snapshot; None before the first.
    :param default: the certificate to use if neither SNI nor the Snapshot gives one.
    :param protocols: the protocols to accept by ALPN, the preferred ones first. ``h2`` is not
        accepted while `Limits.http2_streams` is 0.
    :param max_contexts: how many certificates may have a context at once.
    :raises SSL.Error: if OpenSSL refuses `default`.
    """

    log = Logger()

    def __init__(
        self,
        current_snapshot: Callable[[], Snapshot | None],
        default: ServerCertificate,
        protocols: Sequence[bytes] = (b"h2", b"http/1.1"),
        max_contexts: int = MAX_CONTEXTS,
    ) -> None:
        self.current_snapshot = current_snapshot
        """May be replaced: a worker gets Snapshots of its own after the fork."""

        self._protocols = tuple(protocols)
        self._max_contexts = max_contexts
        self._contexts: OrderedDict[_Key, SSL.Context] = OrderedDict()
        self._refused: set[_Key] = set()
        self._pruned_for: Snapshot | None = None
        self._default = default
        self._parameters = _USUAL
        self._nobody: SSL.Context | None = None
        """A context without a certificate, in which each handshake fails."""

        self._base = make_context(default, self._select_protocol)
        self._base.set_tlsext_servername_callback(self._select_certificate)

    def __repr__(self) -> str:
        return f"<TLSContexts: {self.count} made, {len(self._refused)} refused>"

    @property
    def count(self) -> int:
        """The number of certificates that have a context now."""
        return len(self._contexts)

    def open_channel(self, sock: socket.socket) -> TLSChannel:
        """TLSSide."""
        self._follow_snapshot()
        connection = Connection(self._base, sock)
        connection.set_accept_state()
        if self._parameters is not _USUAL:
            apply_to_connection(connection, self._parameters)
        return TLSChannel(connection)

    def _follow_snapshot(self) -> None:
        # Before a connection is made, because each takes the identity of its session with it.
        try:
            snapshot = self.current_snapshot()
            if snapshot is not None and snapshot is not self._pruned_for:
                self._apply(snapshot.config.nginx.tls)
                self._prune(snapshot)
        except Exception:
            self.log.failure("Certificates that are gone could not be dropped")

    def _apply(self, parameters: TLSParameters) -> None:
        """Follow what the ConfigMap says about TLS, for handshakes from now on."""
        if parameters == self._parameters:
            return
        self._parameters = _USUAL if parameters == _USUAL else parameters
        try:
            apply_parameters(self._base, parameters)
        except SSL.Error:
            self.log.failure("The settings of TLS could not be applied")
        # Each has ciphers of its own.
        self._contexts.clear()

    def _select_certificate(self, connection: SSL.Connection) -> None:
        """Select the certificate; OpenSSL calls this in every handshake, with and without SNI."""
        # pyOpenSSL prints an exception raised here, and the handshake fails.
        try:
            snapshot = self.current_snapshot()
            if snapshot is None:
                return
            octets = connection.get_servername()
            name = octets.decode("latin-1") if octets else None
            found = find_certificate(snapshot, name)
            if found is None and self._parameters.rejects_unknown:
                if self._nobody is None:
                    self._nobody = SSL.Context(SSL.TLS_SERVER_METHOD)
                connection.set_context(self._nobody)
                return
            trust = find_client_trust(snapshot, name)
            context = self._context_of(found, trust) or self._context_of(
                snapshot.default_certificate, trust
            )
            if context is None and trust is not None:
                context = self._context_of(self._default, trust)
            if context is not None:
                connection.set_context(context)
                if trust is not None and isinstance(connection, Connection):
                    ask_for_certificate(connection, trust)
        except Exception:
            self.log.failure("No certificate could be chosen: the default one serves")

    def _context_of(
        self, certificate: ServerCertificate | None, trust: ClientTrust | None
    ) -> SSL.Context | None:
        """
        Return the context of `certificate`; None if there is none, or OpenSSL refuses it.

        :param trust: the authorities whose certificates clients are asked for, if any.
        """
        if certificate is None:
            return None
        key = (certificate.fingerprint, "" if trust is None else trust.fingerprint)
        context = self._contexts.get(key)
        if context is not None:
            self._contexts.move_to_end(key)
            return context
        if key in self._refused:
            return None
        try:
            context = make_context(certificate, self._select_protocol, self._parameters)
            if trust is not None:
                trust_clients(context, trust)
        except (SSL.Error, crypto.Error, ValueError, TypeError, UnsupportedAlgorithm) as error:
            clear_errors()
            self._refused.add(key)
            self.log.error(
                "The certificate for {names} cannot be used, the default one serves: {reason}",
                names=", ".join(certificate.names),
                reason=error,
            )
            return None
        self._contexts[key] = context
        if self.count > self._max_contexts:
            self._contexts.popitem(last=False)
        return context

    def _prune(self, snapshot: Snapshot) -> None:
        """
        Drop the contexts, and with them the keys, of certificates and authorities that are gone.

        Sessions made when clients of a host were asked for no certificate, or for another one, are
        resumed no more: in these nobody is asked for any.
        """
        trusts = dict(snapshot.client_trusts())
        lines = [f"{name} {trust.fingerprint}" for name, trust in sorted(trusts.items())]
        digest = sha256("\n".join(lines).encode()).digest()[:16] if lines else b""
        set_session_context(self._base, SESSION_CONTEXT + digest)
        served = {each.fingerprint for each in snapshot.certificates.values()}
        served.add(self._default.fingerprint)
        if snapshot.default_certificate is not None:
            served.add(snapshot.default_certificate.fingerprint)
        trusted = {"", *(trust.fingerprint for trust in trusts.values())}
        for key in [*self._contexts, *self._refused]:
            if key[0] not in served or key[1] not in trusted:
                self._contexts.pop(key, None)
                self._refused.discard(key)
        self._pruned_for = snapshot

    def _select_protocol(self, connection: SSL.Connection, offered: list[bytes]) -> bytes:
        """Select a protocol, if the client offers any; OpenSSL calls this."""
        # The Snapshot that the certificate was just selected from.
        snapshot = self._pruned_for
        speaks_http2 = snapshot is not None and snapshot.config.limits.http2_streams > 0
        for protocol in self._protocols:
            if protocol in offered and (speaks_http2 or protocol != b"h2"):
                return protocol
        # The handshake fails with the alert that RFC 7301 section 3.2 requires.
        raise NoCommonProtocol(f"the client offers {offered!r}")


def make_context(
    certificate: ServerCertificate,
    select_protocol: Callable[[SSL.Connection, list[bytes]], bytes],
    parameters: TLSParameters = _USUAL,
) -> SSL.Context:
    """
    Make a server's context for `certificate`.

    Settings other than certificate, ALPN and the ciphers of TLS 1.2 take effect only in the base
    context, but are the same in all contexts, so that callers need not distinguish them.

    :raises SSL.Error: if OpenSSL refuses the certificate or the key.
    :raises ValueError: if they are not PEM, or the key is of another kind.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_tls13_ciphersuites(b":".join(TLS_1_3_SUITES))
    apply_parameters(context, parameters)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    # An idle connection releases its record buffers (34 KiB) until the next record.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_id(SESSION_CONTEXT)
    # The client keeps the session as a ticket, so workers have no sessions to share.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_alpn_select_callback(select_protocol)
    use_certificate(context, certificate.chain_pem, certificate.key_pem)
    return context
