"""
Tokens in the requests of clients, those that were verified before, and claims as fields.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Final

from ingress.message import Request
from ingress.policy.decision import Proceed

KEPT_TOKENS: Final = 4096
"""Tokens that a process remembers to have verified, of all rules."""

MAX_CLAIM: Final = 4096
"""Bytes of a field with a claim."""

_FORBIDDEN: Final = re.compile(r"[^\x20-\x7e]")


class VerifiedTokens:
    """Tokens that were verified, by a digest; those that were not used for longest are dropped."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, tuple[float, Proceed]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<VerifiedTokens: {len(self._kept)}>"

    def find(self, key: bytes, now: float) -> Proceed | None:
        """:param now: seconds since the epoch; a token that has expired is not found."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        expires, decision = kept
        if expires <= now:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return decision

    def keep(self, key: bytes, expires: float, decision: Proceed) -> None:
        """Remember a token until it expires."""
        self._kept[key] = (expires, decision)
        if len(self._kept) > KEPT_TOKENS:
            self._kept.popitem(last=False)


def token_of(request: Request) -> bytes | None:
    """:return: None without a token, and for more than one field."""
    found = [value for key, _, value in request.fields if key == b"authorization"]
    if len(found) != 1:
        return None
    scheme, _, token = found[0].partition(b" ")
    token = token.strip(b" ")
    return token if scheme.lower() == b"bearer" and token else None


def text_of(value: object) -> bytes | None:
    """
    :return: a claim as the value of a field: lists with commas. None for what has no plain text,
        and for what is too long: half a claim could mean something else.
    """
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        if any("," in each for each in value):
            return None
        value = ",".join(value)
    if isinstance(value, int):
        value = str(value)
    if not isinstance(value, str) or _FORBIDDEN.search(value) or len(value) > MAX_CLAIM:
        return None
    return value.strip().encode("ascii")
