"""
Keys of an issuer, and tokens that it signs.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ISSUER: Final = "https://issuer.example"
AUDIENCE: Final = "shop"
NOW: Final = 1_800_000_000
"""The wall clock of `policy_context`."""


class Issuer:
    """
    One key of an issuer.

    :param algorithm: that of its tokens.
    :param kid: empty for none.
    """

    def __init__(self, algorithm: str, kid: str = "", number: int = 0) -> None:
        self.algorithm = algorithm
        self.kid = kid
        self.key = _key(algorithm, number)

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key; the secret one where there is no other."""
        public = self.key if isinstance(self.key, bytes) else self.key.public_key()
        found = jwt.get_algorithm_by_name(self.algorithm).to_jwk(public)
        jwk: dict[str, Any] = json.loads(found)
        named = {"kid": self.kid} if self.kid else {}
        return {**jwk, "alg": self.algorithm, **named}

    def token(self, *, headers: dict[str, Any] | None = None, **claims: Any) -> bytes:
        """A token that is good now; claims that are None are left out."""
        all_claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": NOW + 300, **claims}
        named = {"kid": self.kid} if self.kid else {}
        kept = {name: value for name, value in all_claims.items() if value is not None}
        return jwt.api_jws.encode(
            json.dumps(kept).encode(), self.key, self.algorithm, {**named, **(headers or {})}
        ).encode()


@cache
def _key(algorithm: str, number: int) -> Any:
    if algorithm.startswith("HS"):
        return b"%d" % number * 64
    if algorithm.startswith("ES"):
        curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
        return ec.generate_private_key(curves[algorithm])
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 2048)


def jwks(*issuers: Issuer) -> bytes:
    """The JWK Set of these keys."""
    return json.dumps({"keys": [issuer.jwk for issuer in issuers]}).encode()


def encoded(value: object) -> bytes:
    """A part of a token that is written by hand."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=")
