"""
Conversions of the values of ingress-nginx's ConfigMap that are about TLS.

What OpenSSL would refuse is refused here, where somebody is told.
"""

from __future__ import annotations

import re
from typing import Final

from ingress.config.section import NotAccepted

SPOKEN: Final = ("TLSv1.2", "TLSv1.3")
_OLD: Final = ("TLSv1", "TLSv1.0", "TLSv1.1")
_CIPHERS: Final = re.compile(r"[A-Za-z0-9_:+!@=., -]{1,4000}")
_CURVES: Final = re.compile(r"[A-Za-z0-9_:-]{1,500}")
_UNSAFE: Final = ("ADH", "AECDH", "NULL", "EXP")
"""The beginnings of the names of suites without authentication or encryption."""


def protocols(written: str) -> tuple[str, ...]:
    """Accept versions of TLS with blanks between them, of which one is spoken here."""
    versions = tuple(written.split())
    if not set(versions) <= {*SPOKEN, *_OLD} or not set(versions) & set(SPOKEN):
        raise NotAccepted(f"{' and '.join(SPOKEN)}, or one of them, are accepted")
    return versions


def old_protocols(versions: tuple[str, ...]) -> str:
    """:return: what follows from versions that are not spoken; empty for nothing."""
    old = [each for each in versions if each in _OLD]
    return f"{' and '.join(old)} {'are' if len(old) > 1 else 'is'} not spoken" if old else ""


def ciphers(written: str) -> str:
    """Accept a list of ciphers as OpenSSL has it, with none that does not encrypt."""
    from OpenSSL import SSL

    if not _CIPHERS.fullmatch(written) or "@SECLEVEL=0" in written:
        raise NotAccepted("a list of ciphers of OpenSSL is accepted")
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    try:
        context.set_cipher_list(written.encode())
    except SSL.Error:
        raise NotAccepted("a list with a cipher that OpenSSL knows is accepted") from None
    names = SSL.Connection(context, None).get_cipher_list()
    unsafe = [name for name in names if name.startswith(_UNSAFE) or "-NULL-" in name]
    if unsafe:
        raise NotAccepted(f"ciphers that encrypt and authenticate are accepted, not {unsafe[0]}")
    return written


def curves(written: str) -> str:
    """Accept ``auto``, which is an empty result, or curves with ``:`` between them."""
    from OpenSSL import SSL

    from ingress.openssl import limit_groups

    if written == "auto":
        return ""
    if not _CURVES.fullmatch(written):
        raise NotAccepted("auto, or curves with : between them, are accepted")
    try:
        limit_groups(SSL.Context(SSL.TLS_SERVER_METHOD), written.encode().split(b":"))
    except SSL.Error:
        raise NotAccepted("auto, or curves that OpenSSL knows, are accepted") from None
    return written
