"""
Delays that grow from failure to failure.
"""

from __future__ import annotations

from typing import Final

_MOST_DOUBLINGS: Final = 32
"""Beyond any longest delay, and far below the power that no float can be."""


def growing_delay(first: float, longest: float, failures: int) -> float:
    """
    :param failures: how many there have been in a row, the last one included; at least one.
    :return: `first` after one failure, and after each further one twice as long, up to `longest`.
    """
    return min(longest, first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))
