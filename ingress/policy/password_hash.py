"""
The kinds of password hashes that nginx and Apache know, and their verification.

Bcrypt is computed by the package of that name, Apache's MD5 by libpass. The others are those of
crypt(3): the system's libcrypt computes them, or libpass where there is none. Bcrypt and libcrypt
let other threads run meanwhile, which libpass, being Python, does not.
"""

from __future__ import annotations

import ctypes
import re
from base64 import b64decode
from functools import cache
from hashlib import sha1
from hmac import compare_digest
from importlib import import_module
from typing import Any, Final, NamedTuple

MAX_BCRYPT_COST: Final = 15
"""Two seconds or so; each further step doubles that, and 31 would take days."""

MAX_ROUNDS: Final = 1_000_000
"""A quarter of a second with libcrypt; the format goes up to a thousand times as many."""

_BCRYPT_LENGTH: Final = 72
"""Bytes of a password that bcrypt looks at; the package refuses longer ones."""

_CRYPT_DIGITS: Final = rb"[./0-9A-Za-z]"
_BASE_64: Final = rb"[+/0-9A-Za-z]"
_KINDS: Final = re.compile(
    rb"(?:\$2[aby]\$(?P<cost>[0-9]{2})\$D{53}"
    rb"|(?P<apr1>\$apr1\$)[^$]{0,8}\$D{22}"
    rb"|\$(?:5\$(?:rounds=(?P<rounds>[0-9]{1,9})\$)?[^$]{1,16}\$D{43}"
    rb"|6\$(?:rounds=(?P<rounds_6>[0-9]{1,9})\$)?[^$]{1,16}\$D{86}"
    rb"|1\$[^$]{0,8}\$D{22})"
    rb"|(?P<quick>\{(?:SHA\}B{27}=|SSHA\}(?:B{4}){7,}(?:B{3}=|B{2}==)?|PLAIN\}.+))"
    rb"|D{13})".replace(b"D", _CRYPT_DIGITS).replace(b"B{", _BASE_64 + b"{"),
    re.DOTALL,
)
"""
All kinds; the last one, of DES, has no mark. A digest of SHA-1 has 20 bytes, so 28 characters of
Base64 have it and at least one byte of salt.
"""

_PLAIN: Final = b"{PLAIN}"
_SHA_1_LENGTH: Final = 20

_LIBPASS: Final = {
    b"$ap": "apr_md5_crypt",
    b"$1$": "md5_crypt",
    b"$5$": "sha256_crypt",
    b"$6$": "sha512_crypt",
}
"""Libpass's names of kinds, by how their hashes begin; ``des_crypt`` for all others."""

_DATA_SIZE: Final = 256 * 1024
"""Bytes of crypt_r's ``struct crypt_data``: glibc's own, the largest one, has 131,232."""


class HashKind(NamedTuple):
    """How a hash is verified."""

    is_quick: bool
    """Whether that takes microseconds."""

    holds_interpreter: bool
    """Whether no other thread runs Python meanwhile."""


_QUICK: Final = HashKind(is_quick=True, holds_interpreter=True)
_LETS_OTHERS_RUN: Final = HashKind(is_quick=False, holds_interpreter=False)
_HOLDS_INTERPRETER: Final = HashKind(is_quick=False, holds_interpreter=True)


def kind_of(stored: bytes) -> HashKind | None:
    """
    :param stored: a hash as a file of passwords has it.
    :return: None for what is no hash, and for one that takes too long to verify.
    """
    match = _KINDS.fullmatch(stored)
    if match is None:
        return None
    cost, apr1, rounds, rounds_6, quick = match.groups()
    if cost is not None:
        return _LETS_OTHERS_RUN if 4 <= int(cost) <= MAX_BCRYPT_COST else None
    if quick is not None:
        return _QUICK
    if int(rounds or rounds_6 or 0) > MAX_ROUNDS:
        return None
    return _LETS_OTHERS_RUN if apr1 is None and _libcrypt() is not None else _HOLDS_INTERPRETER


def is_quick(stored: bytes) -> bool:
    """
    Whether a hash is verified in microseconds, as `HashKind` says.

    :param stored: a hash that `kind_of` knows.
    """
    return stored.startswith(b"{")


def verify(stored: bytes, password: bytes) -> bool:
    """
    Verify a password; this may take seconds, and may be called in any thread.

    :param stored: a hash that `kind_of` knows.
    :param password: without NUL.
    """
    if stored.startswith(b"{"):
        return _verify_quickly(stored, password)
    if stored.startswith(b"$2"):
        checkpw = import_module("bcrypt").checkpw
        return bool(checkpw(password[:_BCRYPT_LENGTH], stored))
    library = None if stored.startswith(b"$apr1$") else _libcrypt()
    if library is not None:
        return _verify_with(library, stored, password)
    return verify_in_python(stored, password)


def verify_in_python(stored: bytes, password: bytes) -> bool:
    """
    Verify a password with libpass.

    :param stored: a hash of crypt(3), or of Apache's MD5.
    :param password: without NUL.
    """
    handlers = import_module("passlib.hash")
    handler = getattr(handlers, _LIBPASS.get(stored[:3], "des_crypt"))
    return bool(handler.verify(password, stored))


def _verify_quickly(stored: bytes, password: bytes) -> bool:
    if stored.startswith(_PLAIN):
        return compare_digest(stored.removeprefix(_PLAIN), password)
    decoded = b64decode(stored.partition(b"}")[2])
    digest, salt = decoded[:_SHA_1_LENGTH], decoded[_SHA_1_LENGTH:]
    return compare_digest(sha1(password + salt, usedforsecurity=False).digest(), digest)


@cache
def _libcrypt() -> Any:
    """:return: the library that has crypt_r; None if there is none."""
    # musl has it in the C library itself, which the last one stands for.
    for name in ("libcrypt.so.1", "libcrypt.so.2", None):
        try:
            library = ctypes.CDLL(name)
            library.crypt_r.restype = ctypes.c_char_p
        except (OSError, AttributeError):
            continue
        library.crypt_r.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p)
        return library
    return None


def _verify_with(library: Any, stored: bytes, password: bytes) -> bool:
    # Zeros, as crypt_r(3) requires for the first call with a buffer.
    data = ctypes.create_string_buffer(_DATA_SIZE)
    computed = library.crypt_r(password, stored, data)
    return computed is not None and compare_digest(computed, stored)
