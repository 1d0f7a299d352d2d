"""
The times of the API that have microseconds (MicroTime).
"""

from __future__ import annotations

from datetime import UTC, datetime


def micro_time(moment: datetime) -> str:
    """
    Write a time.

    :param moment: with a zone.
    :return: RFC 3339 in UTC, always with six digits after the point.
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_micro_time(text: str | None) -> datetime | None:
    """Read a time of the API; None if there is none, or it cannot be read."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
