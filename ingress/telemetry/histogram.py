"""
The histograms of a series, whose numbers are side by side in one row.
"""

from __future__ import annotations

from array import array
from typing import Final, NamedTuple, TypeAlias

DURATIONS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds, the same as in ingress-nginx."""

SIZES: Final = (10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7)
"""Upper bounds in bytes, the same as ingress-nginx's ``bytes_sent``."""

Row: TypeAlias = "array[float]"
"""
The numbers of one series, packed as they are sent between processes. Doubles hold
counts exactly up to 2**53.
"""


class Histogram(NamedTuple):
    """One of the histograms that a row holds side by side."""

    name: str
    help: str
    bounds: tuple[float, ...]
    start: int
    """Index of its first number in a row: one for each bound, one above all bounds, the sum."""

    @property
    def sum_index(self) -> int:
        """Index of the sum of all observations."""
        return self.start + len(self.bounds) + 1

    def buckets(self, row: Row) -> Row:
        """The observations of each bucket, not cumulated; the last one has no bound."""
        return row[self.start : self.sum_index]


def _side_by_side(*parts: tuple[str, str, tuple[float, ...]]) -> tuple[Histogram, ...]:
    histograms: list[Histogram] = []
    start = 0
    for name, explanation, bounds in parts:
        histograms.append(Histogram(name, explanation, bounds, start))
        start = histograms[-1].sum_index + 1
    return tuple(histograms)


HISTOGRAMS: Final = _side_by_side(
    (
        "request_duration_seconds",
        "From the head of the request to the end of the response",
        DURATIONS,
    ),
    (
        "response_duration_seconds",
        "From sending the request to the endpoint to the end of its response",
        DURATIONS,
    ),
    (
        "header_duration_seconds",
        "From sending the request to the endpoint to the head of its response",
        DURATIONS,
    ),
    ("connect_duration_seconds", "Time to connect to the endpoint, for new connections", DURATIONS),
    ("request_size", "Bytes of the request, head and body", SIZES),
    ("response_size", "Bytes of the response's body", SIZES),
)
"""In the order of the arguments of `Traffic.count`; `telemetry.series_counts` counts for them."""

REQUESTS: Final = HISTOGRAMS[0]
"""Every request is observed here: its count is the number of requests."""

ROW_SIZE: Final = HISTOGRAMS[-1].sum_index + 1
"""The length of a row."""
