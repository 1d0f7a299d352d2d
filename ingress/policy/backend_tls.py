"""
TLS towards endpoints: ``backend-protocol: HTTPS`` with its ``proxy-ssl-*`` annotations.

Source of the rules: COMPATIBILITY section 2.6.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BackendTLS:
    """How endpoints are spoken to over TLS; equal ones may share connections."""

    name: str = ""
    """The server's name, for SNI and verification; see `server_name`."""

    has_own_name: bool = False
    """Whether `name` is the ``proxy-ssl-name``; else it is that of the Service."""

    sends_name: bool = False
    """Whether the name is sent (SNI, RFC 6066): ``proxy-ssl-server-name``."""

    is_verified: bool = False
    """Whether the endpoint's certificate must be one for the name, signed below `ca_pem`."""

    verify_depth: int = 1
    """Intermediate certificates that a chain may have, as OpenSSL counts them."""

    protocols: frozenset[str] = frozenset({"TLSv1.2", "TLSv1.3"})
    """``TLSv1``, ``TLSv1.1``, ``TLSv1.2``, ``TLSv1.3``; never empty, without a gap."""

    ciphers: str = "DEFAULT"
    """OpenSSL's list for TLS 1.2 and before; OpenSSL has taken it once."""

    ca_pem: bytes | None = None
    """The certificates that are trusted; never None where `is_verified`."""

    chain_pem: bytes | None = None
    """The certificate that we show where the endpoint asks for one, and its chain."""

    key_pem: bytes | None = field(default=None, repr=False)
    """Its key; None exactly where `chain_pem` is."""

    def server_name(self, host: str) -> str:
        """
        :param host: of the endpoint: an address, or a name (ExternalName).
        :return: the name that the endpoint must have, in lower case.
        """
        raise NotImplementedError
