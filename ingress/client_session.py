"""
What a TLS handshake has established about a client: the certificate that it showed, and by which
authorities it was verified.
"""

from __future__ import annotations

import re
from dataclasses import field
from functools import cache, cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from ingress.frozen import dataclass

if TYPE_CHECKING:
    # cryptography takes long to import; whoever has a certificate has imported it.
    from cryptography import x509

_NAMES: Final = {
    "1.2.840.113549.1.9.1": "emailAddress",
    "2.5.4.5": "serialNumber",
    "2.5.4.4": "SN",
    "2.5.4.42": "GN",
    "2.5.4.12": "title",
    "2.5.4.43": "initials",
    "2.5.4.46": "dnQualifier",
    "2.5.4.13": "description",
}
"""OpenSSL's short names, which nginx shows, of attributes that RFC 4514 has no name for."""

_ESCAPED: Final = re.compile("[^ -~]|(?<=\\\\) \\Z")
"""What RFC 2253 leaves as it is and no field of HTTP may have; a blank at the end as well."""


@dataclass(frozen=True, slots=True)
class ClientTrust:
    """Whose certificates are accepted of clients. Compared by its fingerprint alone."""

    ca_pem: bytes = field(repr=False, compare=False)
    """The certificates of the authorities; OpenSSL could read them."""

    crl_pem: bytes = field(default=b"", repr=False, compare=False)
    """Their lists of revoked certificates; empty if none are asked for."""

    depth: int = field(default=1, compare=False)
    """How many authorities may be between a certificate and one of these."""

    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        digest = sha256(
            b"%d %d %d %b%b"
            % (self.depth, len(self.ca_pem), len(self.crl_pem), self.ca_pem, self.crl_pem)
        )
        object.__setattr__(self, "fingerprint", digest.hexdigest())


class ClientSession:
    """
    The handshake of one connection, which has asked for a certificate.

    :param trust: by whom the certificate was to be verified.
    :param certificate: the certificate that the client showed, None if it showed none.
    :param faults: what OpenSSL found wrong with it, text by number of the error, in order.
    """

    def __init__(
        self,
        trust: ClientTrust,
        certificate: x509.Certificate | None,
        faults: dict[int, str],
    ) -> None:
        self.trust = trust
        self.certificate = certificate
        self.faults = faults
        self.kept: dict[object, Any] = {}
        """What policies have made of it, to use it again for the next request."""

    def __repr__(self) -> str:
        return f"<ClientSession {self.verification}>"

    @property
    def verification(self) -> str:
        """nginx's ``$ssl_client_verify``: ``SUCCESS``, ``NONE`` or ``FAILED:`` and the reason."""
        if self.certificate is None:
            return "NONE"
        return f"FAILED:{next(iter(self.faults.values()))}" if self.faults else "SUCCESS"

    @cached_property
    def subject(self) -> str:
        """The distinguished name of the certificate's subject, as RFC 2253 writes it, in ASCII."""
        return "" if self.certificate is None else _written(self.certificate.subject)

    @cached_property
    def issuer(self) -> str:
        """That of its issuer."""
        return "" if self.certificate is None else _written(self.certificate.issuer)

    @cached_property
    def common_names(self) -> tuple[str, ...]:
        """All common names of the subject; normally there is one."""
        if self.certificate is None:
            return ()
        from cryptography.x509.oid import NameOID

        found = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(each.value) for each in found)

    @cached_property
    def escaped_pem(self) -> str:
        """The certificate in PEM, escaped as in a URL: nginx's ``$ssl_client_escaped_cert``."""
        if self.certificate is None:
            return ""
        from cryptography.hazmat.primitives.serialization import Encoding

        return quote(self.certificate.public_bytes(Encoding.PEM), safe="")


@cache
def _names() -> dict[x509.ObjectIdentifier, str]:
    from cryptography.x509 import ObjectIdentifier

    return {ObjectIdentifier(number): short for number, short in _NAMES.items()}


def _written(name: x509.Name) -> str:
    written = name.rfc4514_string(_names())
    return _ESCAPED.sub(_hexadecimal, written)


def _hexadecimal(match: re.Match[str]) -> str:
    octets = match[0].encode("utf-8", "surrogatepass")
    if match[0] == " ":
        return "20"  # Behind the backslash that is there.
    return "".join(f"\\{octet:02X}" for octet in octets)
