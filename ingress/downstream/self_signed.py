"""
The self-signed certificate, made at start and used where no other certificate is.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ingress.routing.snapshot import ServerCertificate

COMMON_NAME = "txingress default certificate"
DNS_NAME = "ingress.local"

LIFETIME = timedelta(days=365)
CLOCK_SKEW = timedelta(hours=1)
"""How far the clocks of clients may be behind ours."""


def make_self_signed(now: datetime) -> ServerCertificate:
    """
    Make a certificate with a new ECDSA key on P-256.

    :param now: with a time zone.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME)])
    not_before = (now - CLOCK_SKEW).replace(microsecond=0)
    not_after = not_before + LIFETIME
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(DNS_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain_pem = certificate.public_bytes(serialization.Encoding.PEM)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return ServerCertificate(
        chain_pem=chain_pem,
        key_pem=key_pem,
        names=(DNS_NAME,),
        not_before=not_before,
        not_after=not_after,
        fingerprint=sha256(chain_pem + key_pem).hexdigest(),
    )
