"""
Durations as nginx writes them: ``30``, ``30s``, ``1m30s``, ``2h``, ``500ms``.
"""

from __future__ import annotations

import re
from typing import Final

_DURATION: Final = re.compile(r"[0-9]{1,9}(?:ms|[smhdwMy])?(?: ?[0-9]{1,9}(?:ms|[smhdwMy]))*")
_PART: Final = re.compile(r"([0-9]+)(ms|[smhdwMy])?")
_DAY: Final = 86_400.0
_SECONDS: Final = {
    "": 1.0,
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": _DAY,
    "w": 7 * _DAY,
    "M": 30 * _DAY,
    "y": 365 * _DAY,
}


def parse_duration(written: str) -> float | None:
    """
    :param written: numbers with units; a number alone means seconds.
    :return: the seconds; None for what is no duration.
    """
    if _DURATION.fullmatch(written) is None:
        return None
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(written))
