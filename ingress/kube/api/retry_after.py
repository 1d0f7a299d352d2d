"""
The Retry-After field (RFC 9110 section 10.2.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from twisted.web.http_headers import Headers

MAX_RETRY_AFTER = 300.0
"""Seconds that are waited at most."""

_SECONDS = re.compile(r"[0-9]{1,9}")


def parse_retry_after(headers: Headers, wall_clock: Callable[[], float]) -> float | None:
    """
    :param headers: of the answer.
    :param wall_clock: in seconds since 1970, for a server that sends no Date.
    :return: seconds from now; None if the field is absent or invalid.
    """
    value = _field(headers, "Retry-After")
    if value is None:
        return None
    if _SECONDS.fullmatch(value):
        return min(float(value), MAX_RETRY_AFTER)
    moment = _moment(value)
    if moment is None:
        return None
    # Compare with the server's own clock, which may differ from ours.
    now = _moment(_field(headers, "Date") or "")
    return min(max(moment - (wall_clock() if now is None else now), 0.0), MAX_RETRY_AFTER)


def _field(headers: Headers, name: str) -> str | None:
    values = headers.getRawHeaders(name)
    return values[-1].strip() if values else None


def _moment(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
