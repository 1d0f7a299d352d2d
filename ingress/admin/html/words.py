"""
Numbers and moments as people read them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from ingress.telemetry.histogram import DURATIONS

NOTHING: Final = "\N{EN DASH}"
"""Stands for a value that is not known."""
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_KIBI: Final = 1024


def count(number: float | None) -> str:
    """:return: a whole number with commas between thousands."""
    return NOTHING if number is None else f"{number:,.0f}"


def rate(per_second: float | None) -> str:
    """:return: a number a second with as many digits as matter."""
    if per_second is None:
        return NOTHING
    if per_second == 0:
        return "0"
    if per_second >= 100:
        return count(per_second)
    return f"{per_second:.1f}" if per_second >= 0.1 else f"{per_second:.2f}"


def share(part: float | None) -> str:
    """:param part: between 0 and 1."""
    if part is None:
        return NOTHING
    if 0 < part < 0.001:
        return "<0.1 %"
    return f"{part * 100:.1f} %" if part < 0.1 and part else f"{part * 100:.0f} %"


def milliseconds(seconds: float | None) -> str:
    """:return: a time that something took."""
    if seconds is None:
        return NOTHING
    if seconds >= 10:
        return f"{seconds:.0f} s"
    if seconds >= 1:
        return f"{seconds:.1f} s"
    amount = seconds * 1000
    if 0 < amount < 0.1:
        return "<0.1 ms"
    return f"{amount:.0f} ms" if amount >= 10 else f"{amount:.1f} ms"


def quantile(seconds: float | None) -> str:
    """:param seconds: estimated from the buckets of a histogram, which has bounds."""
    if seconds is None:
        return NOTHING
    if seconds < DURATIONS[0]:
        return f"<{DURATIONS[0] * 1000:.0f} ms"
    return f"≥{DURATIONS[-1]:.0f} s" if seconds >= DURATIONS[-1] else milliseconds(seconds)


def size(amount: float | None) -> str:
    """:param amount: in bytes."""
    if amount is None:
        return NOTHING
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < _KIBI or unit == "GiB":
            return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"
        amount /= _KIBI
    raise AssertionError("the last unit takes all")


def span(seconds: float) -> str:
    """:return: a length of time in its largest unit, and the next one where that tells more."""
    seconds = max(0, int(seconds))
    for (unit, name), (below, lesser) in zip(_UNITS, (*_UNITS[1:], (0, "")), strict=True):
        if seconds >= unit:
            whole, rest = divmod(seconds, unit)
            if below and whole < 3 and rest >= below:
                return f"{whole} {name} {rest // below} {lesser}"
            return f"{whole} {name}"
    return "0 s"


def moment(written: str | None) -> datetime | None:
    """:param written: as ISO 8601 has it, in UTC if it names no zone; None for none."""
    if not written:
        return None
    parsed = datetime.fromisoformat(written)
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
