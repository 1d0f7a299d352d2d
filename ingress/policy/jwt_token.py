"""
A token (JWT, RFC 7519) and what is demanded of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from jwt.api_jws import PyJWS

from ingress.errors import IngressError
from ingress.policy.jwt_keys import PUBLIC_ALGORITHMS, SECRET_ALGORITHMS, KeySet

MAX_TOKEN: Final = 16 * 1024
"""Bytes of a token; those of real single sign-on have up to some 8 KiB."""

LEEWAY: Final = 60
"""Seconds by which the clocks of two machines may differ."""

_JWS: Final = PyJWS(
    sorted(PUBLIC_ALGORITHMS | SECRET_ALGORITHMS), options={"verify_signature": True}
)


class TokenRefused(IngressError):
    """A token is not accepted; the message has nothing of the token."""


class KeyUnknown(TokenRefused):
    """No key verifies the token; newer keys may."""


class Claims(dict[str, Any]):
    """The claims of a token that was accepted."""


def verify_token(
    token: bytes, keys: KeySet, *, issuer: str, audiences: tuple[str, ...], now: float
) -> Claims:
    """
    :param token: in the compact form.
    :param issuer: what ``iss`` must be.
    :param audiences: of which ``aud`` must have one.
    :param now: seconds since the epoch.
    :raises TokenRefused: if it is not for us, not from there, or not now.
    """
    if len(token) > MAX_TOKEN:
        raise TokenRefused("The token is too long.")
    try:
        header = _JWS.get_unverified_header(token)
        algorithm = header.get("alg")
        if not isinstance(algorithm, str):
            raise TokenRefused("The token names no algorithm.")
        key = keys.find(header.get("kid"), algorithm)
        if key is None:
            raise KeyUnknown("No key of the issuer is that of the token.")
        # The algorithm is that of the key: what the token says was only used to find it.
        decoded = _JWS.decode_complete(token, key, [key.algorithm_name])
        claims = Claims(_mapping(decoded["payload"]))
    except TokenRefused:
        raise
    except Exception:
        # What a client sends can make a library raise anything.
        raise TokenRefused("The token is not valid.") from None
    _check_time(claims, now)
    if claims.get("iss") != issuer:
        raise TokenRefused("The token is from another issuer.")
    named = claims.get("aud")
    found = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    if not any(isinstance(each, str) and each in audiences for each in found):
        raise TokenRefused("The token is for another audience.")
    return claims


def _mapping(payload: bytes) -> Mapping[str, Any]:
    value = json.loads(payload)
    if not isinstance(value, dict):
        raise TokenRefused("The token has no claims.")
    return value


def _check_time(claims: Claims, now: float) -> None:
    expires = _moment(claims, "exp")
    if expires is None:
        raise TokenRefused("The token never expires.")
    if expires <= now - LEEWAY:
        raise TokenRefused("The token has expired.")
    for name in ("nbf", "iat"):
        begins = _moment(claims, name)
        if begins is not None and begins > now + LEEWAY:
            raise TokenRefused("The token is not valid yet.")


def _moment(claims: Claims, name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    # True is an int, and no moment; NaN passes no comparison.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise TokenRefused("The token has a time that is none.")
    return float(value)
