"""
A self-signed certificate, in the files of a mounted TLS Secret.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIFETIME = timedelta(days=90)
RENEWED_BEFORE_END = timedelta(days=7)


def ensure_certificate(folder: Path, host: str) -> Path:
    """
    Make ``tls.crt`` and ``tls.key`` in `folder`, unless they exist and remain valid for a while.

    :return: the path of ``tls.crt``.
    """
    certificate, key = folder / "tls.crt", folder / "tls.key"
    if not (key.exists() and _lasts(certificate)):
        folder.mkdir(parents=True, exist_ok=True)
        chain_pem, key_pem = _make(host)
        key.touch(mode=0o600)
        key.write_bytes(key_pem)
        certificate.write_bytes(chain_pem)
    return certificate


def _lasts(certificate: Path) -> bool:
    try:
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError):
        return False
    return loaded.not_valid_after_utc > datetime.now(UTC) + RENEWED_BEFORE_END


def _make(host: str) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key_pem
