"""
Conversions of the values of ``limits.store``, as `ingress.config.value` has them.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ingress.config.file_value import existing_path
from ingress.config.limit_store import LimitStore, parse_store
from ingress.config.section import Accept, NotAccepted

MOST_AUTHORITIES: Final = 1 << 20
"""Bytes of a file with authorities: those of a whole system have a quarter of that."""


def limit_store(value: object) -> LimitStore | None:
    """
    The URL of a server that speaks the protocol of Redis, or null. No message has any part of the
    value, which may hold a password.
    """
    if value is None:
        return None
    store = parse_store(value) if isinstance(value, str) else None
    if store is None:
        raise NotAccepted(
            "redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS; or null"
        )
    if find_spec("hiredis") is None:
        raise NotAccepted("null, because hiredis is not installed (pip install 'txingress[redis]')")
    return store


def authorities(folder: Path) -> Accept[bytes]:
    """Accept the path of a file with certificates of authorities (PEM), which is read."""
    # Takes long to import, and few configurations need it.
    from cryptography import x509

    accept_path = existing_path(folder)

    def accept(value: object) -> bytes:
        file = accept_path(value)
        try:
            with file.open("rb") as opened:
                data = opened.read(MOST_AUTHORITIES + 1)
            certificates = x509.load_pem_x509_certificates(data)
        except (OSError, ValueError) as error:
            raise NotAccepted("a file with certificates (PEM) that can be read") from error
        if not certificates or len(data) > MOST_AUTHORITIES:
            raise NotAccepted("a file with certificates (PEM) of 1 MiB at most")
        return data

    return accept
