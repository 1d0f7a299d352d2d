"""
Reads the certificate in one Secret, and checks it so that no handshake fails because of it.

Reading a key takes far longer than everything else that a build does with an Ingress,
so a pair is read once and kept while the Secret's content is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from sys import intern

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from ingress.kube.objects import Secret
from ingress.openssl import PrivateKey
from ingress.routing.build.secret_pair import CERTIFICATE_KEY as CERTIFICATE_KEY
from ingress.routing.build.secret_pair import PRIVATE_KEY_KEY as PRIVATE_KEY_KEY
from ingress.routing.build.secret_pair import PairError as PairError
from ingress.routing.build.secret_pair import covers as covers
from ingress.routing.snapshot import CertificateIdentity, ServerCertificate

_ALGORITHMS = (
    (rsa.RSAPublicKey, "RSA"),
    (ec.EllipticCurvePublicKey, "ECDSA"),
    (ed25519.Ed25519PublicKey, "Ed25519"),
    (ed448.Ed448PublicKey, "Ed448"),
)
"""Names as ingress-nginx's metrics have them."""


def read_pair(secret: Secret) -> ServerCertificate:
    """
    :raises PairError: if OpenSSL would not serve with it.
    """
    chain_pem, key_pem = secret.data.get(CERTIFICATE_KEY), secret.data.get(PRIVATE_KEY_KEY)
    for key, value in ((CERTIFICATE_KEY, chain_pem), (PRIVATE_KEY_KEY, key_pem)):
        if not value:
            raise PairError(f"its {key} is empty" if key in secret.data else f"it has no {key}")
    assert chain_pem is not None
    assert key_pem is not None
    unreadable = f"its {CERTIFICATE_KEY} is no PEM certificate that can be read"
    with converted(unreadable):
        chain = x509.load_pem_x509_certificates(chain_pem)
    private_key = _read_key(key_pem)
    with converted(unreadable):
        # The first certificate must be the server's own (RFC 8446 section 4.4.2).
        if len(chain) > 1 and chain[0].public_key() != private_key.public_key():
            chain = _sorted(chain, private_key)
            chain_pem = b"".join(each.public_bytes(Encoding.PEM) for each in chain)
        leaf = chain[0]
        certificate = ServerCertificate(
            chain_pem=chain_pem,
            key_pem=key_pem,
            names=_names(leaf),
            not_before=leaf.not_valid_before_utc,
            not_after=leaf.not_valid_after_utc,
            fingerprint=sha256(chain_pem + b"\0" + key_pem).hexdigest(),
            identity=_identity(leaf, secret),
        )
        public_key = leaf.public_key()
    if private_key.public_key() != public_key:
        raise PairError(
            f"its {PRIVATE_KEY_KEY} belongs to no certificate of its {CERTIFICATE_KEY}"
            if len(chain) > 1
            else f"its {PRIVATE_KEY_KEY} does not belong to its {CERTIFICATE_KEY}"
        )
    _try(leaf, private_key)
    return certificate


def _sorted(chain: list[x509.Certificate], key: PrivateKey) -> list[x509.Certificate]:
    """
    Sort a bundle that does not begin with the server's certificate: that first, then its issuers.

    :return: the chain as it was if none of its certificates has the key.
    """
    rest = list(chain)
    leaf = next((each for each in rest if each.public_key() == key.public_key()), None)
    if leaf is None:
        return chain
    found = [leaf]
    rest.remove(leaf)
    while issuer := next((each for each in rest if each.subject == found[-1].issuer), None):
        found.append(issuer)
        rest.remove(issuer)
    return found + rest


@contextmanager
def converted(message: str) -> Iterator[None]:
    """
    Convert any exception of the library into a PairError: invalid versions, duplicate
    extensions, unknown algorithms and the like are all one fault of one Secret.
    """
    try:
        yield
    except PairError:
        raise
    except Exception:
        raise PairError(message) from None


def _read_key(key_pem: bytes) -> PrivateKey:
    try:
        # The library's own check of an RSA key takes 60 ms; `_is_consistent` takes microseconds.
        key = load_pem_private_key(key_pem, password=None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        raise PairError(f"its {PRIVATE_KEY_KEY} is encrypted; a plain key is accepted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise PairError(f"its {PRIVATE_KEY_KEY} is no PEM key that can be read") from None
    if not isinstance(key, PrivateKey):
        raise PairError(f"its {PRIVATE_KEY_KEY} is no key of RSA, ECDSA, Ed25519 or Ed448")
    if isinstance(key, rsa.RSAPrivateKey) and not _is_consistent(key):
        raise PairError(f"its {PRIVATE_KEY_KEY} is damaged")
    return key


@cache
def _probe() -> SSL.Context:
    """Return one context for all trials: making one takes five times as long as a trial."""
    return SSL.Context(SSL.TLS_SERVER_METHOD)


def _try(leaf: x509.Certificate, key: PrivateKey) -> None:
    """
    Load both into OpenSSL, which has rules of its own about short keys and old digests.

    :raises PairError: if it would not serve with them.
    """
    context = _probe()
    try:
        context.use_certificate(leaf)
        context.use_privatekey(key)
    except SSL.Error as error:
        reasons = ", ".join(str(entry[-1]) for entry in error.args[0]) if error.args else ""
        raise PairError(f"OpenSSL refuses it ({reasons or 'without a reason'})") from None


def _is_consistent(key: rsa.RSAPrivateKey) -> bool:
    """Return whether the parts of the key fit each other (RFC 8017 section 3.2)."""
    numbers = key.private_numbers()
    p, q, e = numbers.p, numbers.q, numbers.public_numbers.e
    return (
        p * q == numbers.public_numbers.n
        and p > 1
        and q > 1
        and numbers.d * e % (p - 1) == 1
        and numbers.d * e % (q - 1) == 1
        and numbers.dmp1 * e % (p - 1) == 1
        and numbers.dmq1 * e % (q - 1) == 1
        and numbers.iqmp * q % p == 1
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """
    Return the DNS names of the certificate; the common name is used only if there are no
    alternative names at all, as in older tutorials (RFC 6125 section 6.4.4).
    """
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        found = extension.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        attributes = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        found = [str(attribute.value) for attribute in attributes]
    return tuple(dict.fromkeys(name.lower().removesuffix(".") for name in found))


def _identity(certificate: x509.Certificate, secret: Secret) -> CertificateIdentity:
    key = certificate.public_key()
    return CertificateIdentity(
        secret=secret.key,
        issuer=_issuer(certificate, NameOID.COMMON_NAME),
        issuer_organization=_issuer(certificate, NameOID.ORGANIZATION_NAME),
        serial_number=str(certificate.serial_number),
        key_algorithm=next((name for kind, name in _ALGORITHMS if isinstance(key, kind)), ""),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
    )


def _issuer(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    """Return an attribute of the issuer's name; empty if none is readable, as OpenSSL allows."""
    try:
        attributes = certificate.issuer.get_attributes_for_oid(oid)
    except ValueError:
        return ""
    # Nearly all of ten thousand certificates are from one issuer.
    return intern(str(attributes[0].value)) if attributes else ""
