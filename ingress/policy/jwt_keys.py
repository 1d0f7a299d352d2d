"""
The keys that verify tokens: a JWK Set (RFC 7517), of which only what is safe to use is taken.

Each key has one algorithm, which the set or the type of the key names, and never the token: a
public key cannot be taken for a shared secret, and there is no key for ``none``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from ingress.errors import IngressError

PUBLIC_ALGORITHMS: Final = frozenset(
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
)
SECRET_ALGORITHMS: Final = frozenset(["HS256", "HS384", "HS512"])
"""Accepted from Secrets alone: whoever can verify with such a key can also sign."""

MAX_SIZE: Final = 256 * 1024
"""Bytes of a set."""

MAX_KEYS: Final = 64
_RSA_BITS: Final = range(2048, 8193)
"""Shorter keys can be broken; longer ones take milliseconds to verify with."""

_SECRET_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
"""The least length of a shared secret (RFC 7518 section 3.2)."""


class KeysRefused(IngressError):
    """A set cannot be used; the message has nothing of its keys."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys by their ``kid``."""

    named: dict[str, tuple[jwt.PyJWK, ...]]
    unnamed: tuple[jwt.PyJWK, ...] = ()

    def __repr__(self) -> str:
        return f"<KeySet of {sorted(self.named)} and {len(self.unnamed)} more>"

    def find(self, kid: object, algorithm: str) -> jwt.PyJWK | None:
        """
        :param kid: what the token says; None if it says nothing.
        :param algorithm: that of the token.
        :return: the only key for it; None if there is none, or more than one.
        """
        if isinstance(kid, str):
            candidates = self.named.get(kid, ())
        elif kid is None:
            candidates = (*self.unnamed, *(key for keys in self.named.values() for key in keys))
        else:
            return None
        found = [key for key in candidates if key.algorithm_name == algorithm]
        return found[0] if len(found) == 1 else None


def read_keys(data: bytes, *, may_be_secret: bool) -> KeySet:
    """
    :param data: a JWK Set, or one key, as JSON.
    :param may_be_secret: whether shared secrets are accepted.
    :raises KeysRefused: if no key of it can be used.
    """
    if len(data) > MAX_SIZE:
        raise KeysRefused(f"has more than {MAX_SIZE} bytes")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise KeysRefused("is not JSON") from None
    members = content.get("keys", [content]) if isinstance(content, dict) else None
    if not isinstance(members, list):
        raise KeysRefused("is no JWK Set")
    accepted = PUBLIC_ALGORITHMS | (SECRET_ALGORITHMS if may_be_secret else frozenset())
    named: dict[str, tuple[jwt.PyJWK, ...]] = {}
    unnamed: list[jwt.PyJWK] = []
    for member in members[:MAX_KEYS]:
        key = _usable(member, accepted)
        if key is None:
            continue
        kid = member.get("kid")
        if isinstance(kid, str):
            named[kid] = (*named.get(kid, ()), key)
        else:
            unnamed.append(key)
    if not named and not unnamed:
        raise KeysRefused("has no key that can be used")
    return KeySet(named, tuple(unnamed))


def _usable(member: Any, accepted: frozenset[str]) -> jwt.PyJWK | None:
    """:return: None for a key that is not for signatures, or too weak, or not understood."""
    if not isinstance(member, dict) or member.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(member)
    except Exception:
        # Whatever the library makes of a hostile set, it has no key here.
        return None
    name = key.algorithm_name
    if name not in accepted:
        return None
    if (name in SECRET_ALGORITHMS) is not isinstance(key.key, bytes):
        return None
    if isinstance(key.key, bytes) and len(key.key) < _SECRET_BYTES[name]:
        return None
    if isinstance(key.key, RSAPublicKey) and key.key.key_size not in _RSA_BITS:
        return None
    # A private key in the set would be usable for signing; nobody should have published it.
    return None if hasattr(key.key, "private_bytes") else key
