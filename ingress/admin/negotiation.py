"""
The choice of a media type by the field Accept (RFC 9110 section 12.5.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_MAX_FIELD: Final = 2048
"""Bytes of an Accept field that are parsed."""


def choose_type(accept: bytes | None, offered: Sequence[str]) -> str:
    """
    :param accept: the field; None if there is none.
    :param offered: media types; the first one is for clients that have no preference, and for
        those that accept none of them.
    :return: the media type that the client prefers; of equal ones the one that it names, as
        `text/html` in the Accept of a browser, before those that it takes by a wildcard.
    """
    ranges = [_range(part) for part in (accept or b"")[:_MAX_FIELD].lower().split(b",")]
    best, best_rank = offered[0], (0.0, 0)
    for media_type in offered:
        rank = _rank(media_type, ranges)
        if rank[0] and rank > best_rank:
            best, best_rank = media_type, rank
    return best


def _range(part: bytes) -> tuple[str, float]:
    name, *parameters = (piece.strip() for piece in part.decode("latin-1").split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, min(max(float(value), 0.0), 1.0)
            except ValueError:
                return name, 0.0
    return name, 1.0


def _rank(media_type: str, ranges: Sequence[tuple[str, float]]) -> tuple[float, int]:
    """:return: the quality, and how exactly the type is named."""
    wildcards = ("*/*", f"{media_type.partition('/')[0]}/*", media_type)
    exactness, quality = -1, 0.0
    for name, given in ranges:
        if name in wildcards and wildcards.index(name) > exactness:
            exactness, quality = wildcards.index(name), given
    return quality, max(exactness, 0)
