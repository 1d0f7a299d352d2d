"""
What the operator says about TLS with clients: versions, ciphers, curves, sessions.
"""

from __future__ import annotations

from typing import Final

from OpenSSL import SSL

from ingress.config.nginx_settings import TLSParameters
from ingress.openssl import (
    limit_ciphers,
    limit_groups,
    limit_versions,
    prefer_own_ciphers,
    refuse_resumption,
    set_session_lifetime,
)

# Mozilla's "intermediate" of its Server Side TLS guidelines 6.0 (2026,
# https://ssl-config.mozilla.org/guidelines/6.0.json). As they recommend, the client's
# order of suites decides: phones without AES in hardware prefer ChaCha20.
CIPHERS: Final = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256",
    b"ECDHE-RSA-AES128-GCM-SHA256",
    b"ECDHE-ECDSA-AES256-GCM-SHA384",
    b"ECDHE-RSA-AES256-GCM-SHA384",
    b"ECDHE-ECDSA-CHACHA20-POLY1305",
    b"ECDHE-RSA-CHACHA20-POLY1305",
)
GROUPS: Final = (b"X25519MLKEM768", b"X25519", b"P-256", b"P-384")


def apply_parameters(context: SSL.Context, parameters: TLSParameters) -> None:
    """
    Set all of them, whatever they were before; they are for connections made from now on.

    :raises SSL.Error: if OpenSSL refuses a value. Then some of them may be set.
    """
    versions = parameters.protocols
    limit_versions(
        context,
        SSL.TLS1_2_VERSION if "TLSv1.2" in versions else SSL.TLS1_3_VERSION,
        0 if "TLSv1.3" in versions else SSL.TLS1_2_VERSION,
    )
    limit_ciphers(context, parameters.ciphers.encode() or b":".join(CIPHERS))
    limit_groups(context, parameters.curves.encode().split(b":") if parameters.curves else GROUPS)
    set_session_lifetime(context, int(parameters.session_timeout))


def apply_to_connection(connection: SSL.Connection, parameters: TLSParameters) -> None:
    """Set what a context could not take back."""
    if parameters.ciphers:
        prefer_own_ciphers(connection)
    if not parameters.tickets:
        refuse_resumption(connection)
