"""
A throw-away certificate authority.

Keys are small or shared, because making them takes most of the time: each kind of
RSA key is made once per run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from ingress.routing.snapshot import ServerCertificate

PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)

_NOW = datetime.now(UTC).replace(microsecond=0)
LAST_MONTH = _NOW - timedelta(days=30)
YESTERDAY = _NOW - timedelta(days=1)
NEXT_MONTH = _NOW + timedelta(days=30)


@dataclass(frozen=True)
class Issued:
    """A certificate with its chain, without the root, and its key."""

    certificate: x509.Certificate
    chain_pem: bytes
    key_pem: bytes
    names: tuple[str, ...]

    def to_server_certificate(self) -> ServerCertificate:
        """Convert it as the build converts a Secret."""
        return ServerCertificate(
            chain_pem=self.chain_pem,
            key_pem=self.key_pem,
            names=self.names,
            not_before=self.certificate.not_valid_before_utc,
            not_after=self.certificate.not_valid_after_utc,
            fingerprint=sha256(self.chain_pem + self.key_pem).hexdigest(),
        )


class CertificateAuthority:
    """
    A root authority, or an intermediate one below it (`intermediate`).

    :ivar root_pem: the certificate that a client has to trust.
    """

    def __init__(
        self, name: str = "Throw-away CA", issuer: CertificateAuthority | None = None
    ) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _common_name(name)
        usage = x509.KeyUsage(
            key_cert_sign=True,
            crl_sign=True,
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        pem = (
            (issuer or self)
            ._builder(self._name, self._key, YESTERDAY, NEXT_MONTH)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign((issuer or self)._key, hashes.SHA256())
            .public_bytes(Encoding.PEM)
        )
        self.root_pem: bytes = issuer.root_pem if issuer else pem
        self._chain_pem: bytes = pem + issuer._chain_pem if issuer else b""

    @property
    def key_pem(self) -> bytes:
        """Its own key, for a program that signs in its name."""
        return to_pem(self._key)

    def intermediate(self, name: str = "Throw-away intermediate CA") -> CertificateAuthority:
        """Make an authority whose own certificate is in the chain of those that it issues."""
        return CertificateAuthority(name, issuer=self)

    def issue(
        self,
        *names: str,
        key: PrivateKey | None = None,
        not_before: datetime = YESTERDAY,
        not_after: datetime = NEXT_MONTH,
        organization: str | None = None,
        has_names: bool = True,
    ) -> Issued:
        """
        Issue a leaf certificate; the first name is also its common name.

        :param names: DNS names, wildcards as ``*.example.com``, and IP addresses.
        :param organization: the group of a user, for Kubernetes.
        :param key: a new one on P-256 if none is given; `rsa_key` makes others.
        :param has_names: whether it has the names as alternative names, too.
        """
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = _common_name(names[0], organization)
        builder = self._builder(subject, key, not_before, not_after)
        if has_names:
            sans = x509.SubjectAlternativeName([_general_name(name) for name in names])
            builder = builder.add_extension(sans, critical=False)
        leaf = builder.sign(self._key, hashes.SHA256())
        return Issued(
            certificate=leaf,
            chain_pem=leaf.public_bytes(Encoding.PEM) + self._chain_pem,
            key_pem=to_pem(key),
            names=names,
        )

    def sign(
        self,
        request_pem: bytes,
        *,
        key: PrivateKey | None = None,
        names: tuple[str, ...] = (),
        not_after: datetime = NEXT_MONTH,
    ) -> bytes:
        """
        Sign a request (PKCS #10).

        :param key: that of another request, for a certificate that does not fit.
        :param names: others than those of the request.
        :return: the chain, as PEM.
        """
        request = x509.load_pem_x509_csr(request_pem)
        asked = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        public: Any = key.public_key() if key is not None else request.public_key()
        if names:
            asked = x509.SubjectAlternativeName([_general_name(name) for name in names])
        leaf = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(YESTERDAY)
            .not_valid_after(not_after)
            .add_extension(asked, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return leaf.public_bytes(Encoding.PEM) + self._chain_pem

    def revoke(self, *revoked: Issued, next_update: datetime = NEXT_MONTH) -> bytes:
        """:return: a list of revoked certificates of this authority, in PEM."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._name)
            .last_update(min(YESTERDAY, next_update - timedelta(days=1)))
            .next_update(next_update)
        )
        for each in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(each.certificate.serial_number)
                .revocation_date(YESTERDAY)
                .build()
            )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _builder(
        self, subject: x509.Name, key: PrivateKey, not_before: datetime, not_after: datetime
    ) -> x509.CertificateBuilder:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(authority, critical=False)
            .add_extension(identifier, critical=False)
        )


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return the shared key of that size; OpenSSL refuses to serve with 1024 bits."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def to_pem(key: PrivateKey) -> bytes:
    """Encode a key in the form of a ``tls.key``."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _common_name(name: str, organization: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if organization is not None:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
