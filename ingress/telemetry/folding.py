"""
Which labels of requests are given up once there are too many series.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from ingress.telemetry.histogram import HISTOGRAMS

OTHER: Final = "other"
"""The method of requests whose methods are counted together."""

LINES_OF_HISTOGRAMS: Final = sum(len(histogram.bounds) + 3 for histogram in HISTOGRAMS)
"""Lines of a series beside that of its requests: buckets, the last bucket, sum and count."""


class Detail(IntEnum):
    """What the series of a route tell apart."""

    FULL = 0
    """Every method and status."""

    CLASSES = 1
    """Every method; statuses by class: ``4xx``."""

    COARSE = 2
    """Classes of statuses alone; the method is `OTHER`."""


Outcome = tuple[str, str]
"""Method and status."""


def folded(method: str, status: str, detail: Detail) -> Outcome:
    """
    The labels of a request at some detail.

    :param status: three digits, a class, or ``-``.
    """
    if detail == Detail.FULL:
        return method, status
    return OTHER if detail == Detail.COARSE else method, status_class(status)


def status_class(status: str) -> str:
    """``4xx`` for ``404``; all else stays as it is."""
    return f"{status[0]}xx" if status.isdigit() else status
