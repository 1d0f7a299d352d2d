"""
The Date of what the proxy sends itself (RFC 9110 section 6.6.1).
"""

from __future__ import annotations

import time
from typing import Any, Final

from twisted.web.http import datetimeToString

_now: Final[Any] = time.time


class _Text:
    """The text of one second."""

    __slots__ = ("second", "text")

    def __init__(self) -> None:
        self.second = -1.0
        self.text = b""


_last: Final = _Text()


def date_now() -> bytes:
    """:return: the time as HTTP writes it; the same object as long as it is the same second."""
    now: float = _now()
    if not _last.second <= now < _last.second + 1:
        _last.second = now // 1
        _last.text = datetimeToString(now)
    return _last.text
