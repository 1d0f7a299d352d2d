"""
The origins that may read responses, compared whole (RFC 6454): ``cors-allow-origin``.
"""

from __future__ import annotations

import re
from typing import Final

from ingress.frozen import dataclass
from ingress.policy.annotation import Annotations

_ORIGIN: Final = re.compile(
    r"null|[a-z][a-z0-9+\-.]*://(?:(?:\*\.)?[a-z0-9_\-]+(?:\.[a-z0-9_\-]+)*|\[[0-9a-f:.]+\])"
    r"(?::[0-9]{1,5})?",
    re.IGNORECASE,
)
_LABEL: Final = re.compile(rb"[a-z0-9_\-]{1,63}")
_MAX_LENGTH: Final = 300
"""Characters of an origin: more than a name and a port can have."""

_MAX_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class OriginList:
    """
    Origins as an author lists them, ``https://*.example.com`` for all names of one more label.

    :raises ValueError: for an origin with characters beyond ASCII.
    """

    written: tuple[str, ...]
    exact: frozenset[bytes]
    """In lower case."""

    wildcards: frozenset[bytes]
    """The same, as ``https://*.example.com``."""

    @classmethod
    def of(cls, written: tuple[str, ...]) -> OriginList:
        origins = [origin.lower().encode("ascii") for origin in written]
        wildcards = frozenset(origin for origin in origins if b"*" in origin)
        return cls(written, frozenset(origins) - wildcards, wildcards)

    def __str__(self) -> str:
        listed = ", ".join(self.written[:_MAX_SHOWN])
        rest = len(self.written) - _MAX_SHOWN
        return f"{listed} and {rest} more" if rest > 0 else listed or "(none)"

    def has(self, origin: bytes) -> bool:
        """:param origin: the field of a request; what is in the list can stand in a response."""
        origin = origin.lower()
        if origin in self.exact:
            return True
        if not self.wildcards:
            return False
        scheme, _, authority = origin.partition(b"://")
        label, _, parent = authority.partition(b".")
        if _LABEL.fullmatch(label) is None:
            return False
        return b"%b://*.%b" % (scheme, parent) in self.wildcards


def read_origins(annotations: Annotations, name: str) -> OriginList | None:
    """:return: None for everybody, as without a value."""
    words = annotations.words(name)
    if not words or "*" in words:
        return None
    accepted = tuple(word for word in words if len(word) <= _MAX_LENGTH and _ORIGIN.fullmatch(word))
    if len(accepted) < len(words):
        annotations.fault(
            name,
            "*, or origins such as https://a.example:8443, https://*.a.example and null with "
            "commas between them, are accepted; scripts of the other origins cannot read responses",
        )
    return OriginList.of(accepted)
