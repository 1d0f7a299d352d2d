"""
A new private key, the request for its certificate, and the check of what a signer has made of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from ingress.errors import IngressError
from ingress.kube.objects import Metadata, Secret
from ingress.openssl import PrivateKey
from ingress.routing.build.certificate import (
    CERTIFICATE_KEY,
    PRIVATE_KEY_KEY,
    PairError,
    covers,
    read_pair,
)
from ingress.routing.snapshot import ServerCertificate

MAX_COMMON_NAME: Final = 64
"""Characters (X.520, ``ub-common-name``). A longer host stands among the alternative names only."""

_RSA_BITS: Final = 2048


class UnfitCertificate(IngressError):
    """A signer has made a certificate that is not what was asked for."""


def make_key(*, is_rsa: bool = False) -> bytes:
    """
    :param is_rsa: RSA of 2048 bits in place of P-256.
    :return: a new private key as PEM (PKCS #8), not encrypted.
    """
    key: PrivateKey = (
        rsa.generate_private_key(65537, _RSA_BITS)
        if is_rsa
        else ec.generate_private_key(ec.SECP256R1())
    )
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def make_request(key_pem: bytes, hosts: Sequence[str]) -> bytes:
    """
    :param key_pem: from `make_key`.
    :param hosts: at least one, in lower case; wildcards as ``*.example.com``.
    :return: a request (PKCS #10) as PEM, with the hosts as alternative names (RFC 6125).
    """
    key = load_pem_private_key(key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    named = [host for host in hosts[:1] if len(host) <= MAX_COMMON_NAME]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host) for host in named])
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    # RFC 5280, section 4.2.1.6: without a subject the names are what the certificate is about.
    request = builder.add_extension(names, critical=not named).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM)


def check_certificate(
    chain_pem: bytes, key_pem: bytes, hosts: Sequence[str], now: datetime
) -> ServerCertificate:
    """
    :param chain_pem: what the signer has made.
    :param now: a time with a zone.
    :return: the pair.
    :raises UnfitCertificate: if it would not be served, or is not for all of the hosts now.
    """
    data = {CERTIFICATE_KEY: chain_pem, PRIVATE_KEY_KEY: key_pem}
    try:
        pair = read_pair(Secret(metadata=Metadata(name=""), data=data))
    except PairError as error:
        raise UnfitCertificate(f"the certificate cannot be used: {error}") from None
    missing = [host for host in hosts if not covers(pair, host)]
    if missing:
        raise UnfitCertificate(f"the certificate is not for {', '.join(missing)}")
    if not pair.not_before <= now < pair.not_after:
        raise UnfitCertificate(
            f"the certificate is valid from {pair.not_before:%Y-%m-%d %H:%M} to "
            f"{pair.not_after:%Y-%m-%d %H:%M} (UTC), which is not now"
        )
    return pair
