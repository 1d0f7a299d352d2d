"""
Reads the content of one Secret for TLS towards endpoints: ``proxy-ssl-secret``.

Unlike for a host's certificate, nothing is kept of a Secret that turned bad, because
the Secret decides which peers the endpoint and the proxy trust.
"""

from __future__ import annotations

from cryptography import x509

from ingress.kube.objects import Secret
from ingress.policy.backend_secret import BackendSecret
from ingress.routing.build.certificate import (
    CERTIFICATE_KEY,
    PRIVATE_KEY_KEY,
    PairError,
    converted,
    read_pair,
)

AUTHORITY_KEY = "ca.crt"


def read_backend_secret(secret: Secret) -> BackendSecret:
    """Read a Secret; what is wrong with it is the fault of the result."""
    has_pair = any(secret.data.get(key) for key in (CERTIFICATE_KEY, PRIVATE_KEY_KEY))
    ca_pem = secret.data.get(AUTHORITY_KEY) or None
    if not has_pair and ca_pem is None:
        return BackendSecret(
            fault=f"has neither {CERTIFICATE_KEY} with {PRIVATE_KEY_KEY} nor {AUTHORITY_KEY}"
        )
    try:
        if ca_pem is not None:
            _check_authorities(ca_pem)
        if not has_pair:
            return BackendSecret(ca_pem=ca_pem)
        pair = read_pair(secret)
    except PairError as error:
        return BackendSecret(fault=f"cannot be used: {error}")
    return BackendSecret(pair.chain_pem, pair.key_pem, ca_pem)


def _check_authorities(pem: bytes) -> None:
    with converted(f"its {AUTHORITY_KEY} has no PEM certificates that can be read"):
        for authority in x509.load_pem_x509_certificates(pem):
            authority.public_key()
