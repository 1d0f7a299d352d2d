"""
The certificate of a Secret, and what clients say to it.
"""

from __future__ import annotations

from datetime import datetime

from ingress.errors import IngressError
from ingress.frozen import dataclass
from ingress.kube.objects import Secret
from ingress.routing.snapshot import ServerCertificate

CERTIFICATE_KEY = "tls.crt"
PRIVATE_KEY_KEY = "tls.key"


class PairError(IngressError):
    """A fault of a pair, in words that reveal nothing of its content."""


@dataclass(frozen=True, slots=True)
class SecretPair:
    """The TLS pair of a Secret."""

    secret: Secret
    certificate: ServerCertificate | None
    """The pair that the Secret holds, or the last good one that it held."""

    fault: str = ""
    """Why the Secret cannot be used now; empty if it can."""


def covers(certificate: ServerCertificate, host: str) -> bool:
    """
    :param host: in lower case, a wildcard as ``*.example.com``.
    :return: whether a client that connects to `host` would accept the certificate.
    """
    if host in certificate.names:
        return True
    _, _, parent = host.partition(".")
    return not host.startswith("*") and f"*.{parent}" in certificate.names


def next_change(certificate: ServerCertificate, now: datetime) -> datetime | None:
    """Return the time at which the result of `lapse` will change, if any."""
    return next((at for at in (certificate.not_before, certificate.not_after) if at > now), None)


def lapse(certificate: ServerCertificate, now: datetime) -> str:
    """
    :return: why clients do not accept the certificate at this time; empty if they do.
    """
    if now < certificate.not_before:
        return f"the certificate is not valid before {certificate.not_before:%Y-%m-%d %H:%M} UTC"
    if now >= certificate.not_after:
        return f"the certificate expired on {certificate.not_after:%Y-%m-%d %H:%M} UTC"
    return ""
