"""
The content of a Secret for TLS towards endpoints.
"""

from __future__ import annotations

from dataclasses import field

from ingress.frozen import dataclass


@dataclass(frozen=True, slots=True)
class BackendSecret:
    """The content of a Secret for TLS towards endpoints: a pair, trusted certificates, or both."""

    chain_pem: bytes | None = None
    key_pem: bytes | None = field(default=None, repr=False)
    ca_pem: bytes | None = None

    fault: str = ""
    """Why the Secret cannot be used, as the end of a sentence that begins with its name."""
