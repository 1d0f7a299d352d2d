"""
The parts of OpenSSL that both sides need; some are not in pyOpenSSL's public interface.

Twisted uses the same library object (`twisted.internet._sslverify`).
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto
from OpenSSL._util import ffi, lib

from ingress.client_session import ClientSession, ClientTrust
from ingress.transports.tls_channel import clear_errors

CHAIN_TOO_LONG = 22
"""OpenSSL's X509_V_ERR_CERT_CHAIN_TOO_LONG."""

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey | Ed448PrivateKey
"""The keys that OpenSSL can serve with."""


class Connection(SSL.Connection):
    """A connection that knows what the certificate of the client is worth."""

    def __init__(self, context: SSL.Context, sock: socket.socket) -> None:
        super().__init__(context, sock)
        self.client_trust: ClientTrust | None = None
        """Whose certificates the handshake has asked for; None if for none."""

        self.client_faults: dict[int, str] = {}
        """What is wrong with the certificate of the client: text by number of the error."""


def limit_groups(context: SSL.Context, groups: Iterable[bytes]) -> None:
    """
    Set the groups for key agreement, the preferred ones first, without those that OpenSSL lacks.

    :raises SSL.Error: if it has none of them.
    """
    known = [each for each in groups if lib.SSL_CTX_set1_curves_list(context._context, each) == 1]
    clear_errors()
    if not known:
        raise SSL.Error([("groups", "", "none of them is known")])
    lib.SSL_CTX_set1_curves_list(context._context, b":".join(known))


def limit_versions(context: SSL.Context, least: int, most: int) -> None:
    """
    :param most: 0 for the newest.
    :raises SSL.Error: if OpenSSL has none of these versions of TLS.
    """
    handle = context._context
    if not (
        lib.SSL_CTX_set_min_proto_version(handle, least)
        and lib.SSL_CTX_set_max_proto_version(handle, most)
    ):
        clear_errors()
        raise SSL.Error([("versions", "", "they are not known")])


def limit_ciphers(context: SSL.Context, ciphers: bytes) -> None:
    """
    Set the ciphers of TLS 1.2, also for a context that has made connections.

    :param ciphers: a list as OpenSSL has it.
    :raises SSL.Error: if none of them is known.
    """
    if lib.SSL_CTX_set_cipher_list(context._context, ciphers) != 1:
        clear_errors()
        raise SSL.Error([("ciphers", "", "none of them is known")])


def set_session_lifetime(context: SSL.Context, seconds: int) -> None:
    """Let sessions that begin from now on be resumed for so long."""
    lib.SSL_CTX_set_timeout(context._context, seconds)


def prefer_own_ciphers(connection: SSL.Connection) -> None:
    """Choose by our order of ciphers, not by the client's."""
    lib.SSL_set_options(connection._ssl, SSL.OP_CIPHER_SERVER_PREFERENCE)


def refuse_resumption(connection: SSL.Connection) -> None:
    """Neither take nor give tickets with which a session could be resumed without our memory."""
    lib.SSL_set_options(connection._ssl, SSL.OP_NO_TICKET)


def set_session_context(context: SSL.Context, identity: bytes) -> None:
    """
    Let the connections that `context` makes from now on resume sessions of this identity alone.

    pyOpenSSL allows no change of a context that has made connections, because other threads could
    be using it.

    :param identity: at most 32 bytes.
    """
    if lib.SSL_CTX_set_session_id_context(context._context, identity, len(identity)) != 1:
        clear_errors()
        raise SSL.Error([("session", "", "the identity is too long")])


def use_certificate(context: SSL.Context, chain_pem: bytes, key_pem: bytes) -> None:
    """
    Let `context` identify us by this certificate, its chain and its key.

    :raises SSL.Error: if OpenSSL refuses them, or they do not belong together.
    :raises ValueError: if they are not PEM, or the key is of another kind.
    :raises TypeError: if the key is encrypted.
    :raises UnsupportedAlgorithm: if the kind of the key is unknown.
    """
    leaf, *issuers = x509.load_pem_x509_certificates(chain_pem)
    context.use_certificate(leaf)
    for issuer in issuers:
        context.add_extra_chain_cert(issuer)
    # The full check of an RSA key takes 40 ms, and says only whether the key is a good one.
    key = load_pem_private_key(key_pem, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, PrivateKey):
        raise ValueError("neither an RSA nor an elliptic-curve key")
    context.use_privatekey(key)
    context.check_privatekey()


def trust_clients(context: SSL.Context, trust: ClientTrust) -> None:
    """
    Let the certificates of clients be verified by `trust`, and name its authorities to clients.

    :raises SSL.Error, crypto.Error: if OpenSSL refuses them.
    :raises ValueError: if they cannot be read.
    """
    store = context.get_cert_store()
    assert store is not None
    for authority in x509.load_pem_x509_certificates(trust.ca_pem):
        converted = crypto.X509.from_cryptography(authority)
        store.add_cert(converted)
        # pyOpenSSL would convert it once more, which takes most of the time.
        if lib.SSL_CTX_add_client_CA(context._context, converted._x509) != 1:
            clear_errors()
            raise SSL.Error([("authority", "", "it cannot be named to clients")])
    lists = read_revocations(trust.crl_pem)
    for revoked in lists:
        store.add_crl(revoked)
    if lists:
        store.set_flags(crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.CRL_CHECK_ALL)


def read_revocations(pem: bytes) -> list[x509.CertificateRevocationList]:
    """
    :return: the lists of revoked certificates in a PEM file.
    :raises ValueError: if one cannot be read.
    """
    end = b"-----END X509 CRL-----"
    pieces = pem.split(end)
    return [x509.load_pem_x509_crl(piece + end) for piece in pieces[:-1]]


def ask_for_certificate(connection: Connection, trust: ClientTrust) -> None:
    """
    Ask a client for a certificate in the handshake that has begun. It goes on whatever is wrong
    with the certificate: `client_session` tells. The session cannot be resumed.

    :param connection: one whose context has got `trust_clients` of the same `trust`.
    """
    connection.set_options(SSL.OP_NO_TICKET)
    connection.set_verify(SSL.VERIFY_PEER, _note_verification)
    connection.client_trust = trust


def _note_verification(
    connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, is_ok: int
) -> bool:
    """Note what is wrong with a certificate of the client's chain; OpenSSL calls this for each."""
    assert isinstance(connection, Connection)
    trust = connection.client_trust
    if not is_ok:
        connection.client_faults.setdefault(error, verification_error_text(error))
    elif trust is not None and depth > trust.depth + 1:
        # The client's certificate has depth 0, and the authority that is trusted counts as well.
        text = verification_error_text(CHAIN_TOO_LONG)
        connection.client_faults.setdefault(CHAIN_TOO_LONG, text)
    return True


def client_session(connection: SSL.Connection) -> ClientSession | None:
    """
    :param connection: the server's side, after the handshake.
    :return: None if it has not asked for a certificate. A session that was resumed has not:
        nobody knows any more by whom its certificate was verified.
    """
    if not isinstance(connection, Connection) or connection.client_trust is None:
        return None
    if is_resumed(connection):
        return None
    certificate = connection.get_peer_certificate(as_cryptography=True)
    return ClientSession(connection.client_trust, certificate, connection.client_faults)


def verification_fault(connection: SSL.Connection) -> str:
    """Return the fault that OpenSSL has found in the peer's certificate; empty if none."""
    result = lib.SSL_get_verify_result(connection._ssl)
    return "" if result == lib.X509_V_OK else verification_error_text(result)


def verification_error_text(error: int) -> str:
    """Return OpenSSL's text for a verification error."""
    text: bytes = ffi.string(lib.X509_verify_cert_error_string(error))
    return text.decode("ascii", "replace")


def is_resumed(connection: SSL.Connection) -> bool:
    """Return whether the handshake resumed an earlier session, without certificates."""
    return bool(lib.SSL_session_reused(connection._ssl))
