"""
Moments as the API writes them where microseconds count (MicroTime).
"""

from __future__ import annotations

from datetime import UTC, datetime


def micro_time(moment: datetime) -> str:
    """
    :param moment: with a zone.
    :return: RFC 3339 in UTC, always with six digits after the point.
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
