"""
The histograms of a series, whose numbers stand side by side in one row.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Final, NamedTuple, TypeAlias

DURATIONS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds, as ingress-nginx has them."""

SIZES: Final = (10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7)
"""Upper bounds in bytes: those of ingress-nginx's ``bytes_sent``."""

Row: TypeAlias = "array[float]"
"""
The numbers of one series, packed as they go from process to process. Doubles hold
counts, too, exactly up to 2**53.
"""


class Histogram(NamedTuple):
    """One of the histograms that a row holds side by side."""

    name: str
    help: str
    bounds: tuple[float, ...]
    start: int
    """Where its numbers begin in a row: one for each bound, one for what is above, the sum."""

    @property
    def sum_index(self) -> int:
        """Where the sum of all observations is."""
        return self.start + len(self.bounds) + 1

    def observe(self, rows: Sequence[list[float]], values: Sequence[float | None]) -> None:
        """
        Count each value into its bucket of the row beside it; None is no observation.
        """
        if None in values:
            rows = [row for row, value in zip(rows, values, strict=True) if value is not None]
        observed = [value for value in values if value is not None]
        start, sum_index = self.start, self.sum_index
        indexes = map(bisect_left, repeat(self.bounds), observed)
        for row, index, value in zip(rows, indexes, observed, strict=True):
            row[start + index] += 1
            row[sum_index] += value

    def observe_all(self, row: list[float], values: Iterable[float | None]) -> None:
        """The same for values of one row, in a third of the time where they are many."""
        observed = sorted(value for value in values if value is not None)
        before = 0
        for index, bound in enumerate(self.bounds, self.start):
            within = bisect_right(observed, bound, before)
            row[index] += within - before
            before = within
        row[self.sum_index - 1] += len(observed) - before
        row[self.sum_index] += sum(observed)

    def buckets(self, row: Row) -> Row:
        """How many are in each bucket and in none before it; the last one has no bound."""
        return row[self.start : self.sum_index]


def _side_by_side(*parts: tuple[str, str, tuple[float, ...]]) -> tuple[Histogram, ...]:
    histograms: list[Histogram] = []
    start = 0
    for name, explanation, bounds in parts:
        histograms.append(Histogram(name, explanation, bounds, start))
        start = histograms[-1].sum_index + 1
    return tuple(histograms)


HISTOGRAMS: Final = _side_by_side(
    ("request_duration_seconds", "From the request's head to the response's end", DURATIONS),
    ("response_duration_seconds", "From asking the endpoint to its response's end", DURATIONS),
    ("header_duration_seconds", "From asking the endpoint to its response's head", DURATIONS),
    ("connect_duration_seconds", "Until the endpoint accepted a new connection", DURATIONS),
    ("request_size", "Bytes of the request, head and body", SIZES),
    ("response_size", "Bytes of the response's body", SIZES),
)
"""In the order of the arguments of `Traffic.count`."""

REQUESTS: Final = HISTOGRAMS[0]
"""Every request is observed in it, so that its count is theirs."""

ROW_SIZE: Final = HISTOGRAMS[-1].sum_index + 1
"""Numbers of a row."""
