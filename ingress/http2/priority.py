"""
The priority of a response (RFC 9218).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

DEFAULT_URGENCY: Final = 3

_MEMBER: Final = re.compile(rb"[ \t]*(?:u=([0-7])|i(?:=\?([01]))?)(?:;[^,]*)?[ \t]*")
_MAX_LENGTH: Final = 64


class Priority:
    """
    :ivar urgency: from 0, the most urgent, to 7.
    :ivar is_incremental: whether the response takes turns with others of its urgency.
    """

    __slots__ = ("is_incremental", "urgency")

    def __init__(self, urgency: int, *, is_incremental: bool) -> None:
        self.urgency = urgency
        self.is_incremental = is_incremental

    def __repr__(self) -> str:
        return f"<Priority u={self.urgency} i={self.is_incremental}>"


TAKES_TURNS: Final = Priority(DEFAULT_URGENCY, is_incremental=True)
"""That of a stream without a `priority` field: such clients know nothing of RFC 9218."""


def parse_priority(value: bytes) -> Priority:
    """
    Read the value of a `priority` field; parameters that are unknown or malformed are ignored.
    """
    return _parse(value) if len(value) <= _MAX_LENGTH else TAKES_TURNS


@lru_cache(maxsize=64)
def _parse(value: bytes) -> Priority:
    urgency, is_incremental = DEFAULT_URGENCY, False
    for member in value.split(b","):
        match = _MEMBER.fullmatch(member)
        if match is None:
            continue
        if match[1] is not None:
            urgency = int(match[1])
        else:
            is_incremental = match[2] != b"0"
    return Priority(urgency, is_incremental=is_incremental)
