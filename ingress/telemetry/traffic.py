"""
The number, duration and size of requests, by rule, method and status.

::

    count ─► samples ─► fold: rows of this process ─► take ─► TrafficCounts ─► TrafficTotals

`count` runs once a request and does next to nothing: it appends its arguments to a
list. A full list is folded into rows. A row belongs to one series and has the numbers
of all its histograms. `TrafficTotals` adds up the counts of all processes.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, Final, NamedTuple

from ingress.routing.route import Route, RouteLabels
from ingress.telemetry.folding import OTHER
from ingress.telemetry.histogram import HISTOGRAMS, REQUESTS, ROW_SIZE, Row

MAX_SERIES: Final = 20_000
"""Series of one process between two takes: 10,000 rules with two outcomes each take 15 MB."""

CROWDED: Final = MAX_SERIES * 3 // 4
"""The number of series from which on new ones are folded."""

MAX_ROUTE_SERIES: Final = 200
"""
Series of one rule before new ones are folded: clients choose the method and endpoints the
status, and must not use up the room of all.
"""

METHODS: Final = frozenset(
    b"ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY "
    b"MKCALENDAR MKCOL MOVE NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND "
    b"REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE".split()
)
"""The methods that the parser knows; all others are counted as ``-``."""

STATUSES: Final = range(100, 600)
"""All other statuses are counted as ``-``."""

_SAMPLES_AT_ONCE: Final = 1000
"""Requests between two folds. A fold takes a millisecond or two."""

TAKEN_AT_ONCE: Final = 500
"""Series of one take: taking and merging them takes a few milliseconds."""

_FEW_SERIES: Final = 8
"""Up to so many series in one fold, counting the values of each series together is faster."""

_EMPTY_ROW: Final = [0.0] * ROW_SIZE

NO_ROUTE: Final = RouteLabels("_")
"""
The labels of requests that no rule matched, or that were refused before. They have no
host: clients could make up any number of hosts.
"""

_OTHER: Final = OTHER.encode("ascii")

_KEY: Final = 3
_WIDTH: Final = _KEY + len(HISTOGRAMS)
"""The length of a sample: labels, method and status, and the observed values."""


class Series(NamedTuple):
    """The labels of requests that are counted together."""

    route: RouteLabels
    method: str
    status: str


@dataclass(slots=True)
class TrafficCounts:
    """What one process counted during a period; it can be pickled."""

    rows: dict[Series, Row] = field(default_factory=dict)
    overflow: int = 0
    """Requests that are in no series, because there were too many."""

    is_last: bool = True
    """Whether everything was taken."""


class Traffic:
    """What the exchanges of one process have counted since the last take."""

    def __init__(self) -> None:
        self._samples: list[Any] = []
        """
        Sample after sample in one list: neither a list for each series, which would
        be many, nor a tuple for each sample, which the garbage collector would see.
        """

        self._rows: dict[tuple[RouteLabels, bytes, int], list[float]] = {}
        self._series_of: Counter[RouteLabels] = Counter()
        """How many of the rows each rule has."""

        self._overflowing = _EMPTY_ROW[:]
        """The row of all requests that are in no series."""

    def __repr__(self) -> str:
        return f"<Traffic {len(self._rows)} series, {len(self._samples) // _WIDTH} samples>"

    def count(
        self,
        route: Route | None,
        method: bytes,
        status: int,
        request_time: float,
        response_time: float | None,
        header_time: float | None,
        connect_time: float | None,
        request_size: int,
        response_size: int,
    ) -> None:
        """
        Count an exchange. Times are in seconds, sizes in bytes.

        :param route: None if no rule matched.
        :param response_time: None if no endpoint answered; the next two likewise.
        :param connect_time: None as well if a connection was reused.
        """
        samples = self._samples
        samples += (
            NO_ROUTE if route is None else route.labels,
            method,
            status,
            request_time,
            response_time,
            header_time,
            connect_time,
            request_size,
            response_size,
        )
        if len(samples) >= _SAMPLES_AT_ONCE * _WIDTH:
            self._fold()

    def take(self, most: int = TAKEN_AT_ONCE) -> TrafficCounts:
        """
        :param most: how many series to take; the others are for the next take.
        :return: what was counted since the last take.
        """
        self._fold()
        count = min(most, len(self._rows))
        taken = [self._rows.popitem() for _ in range(count)]
        self._series_of.subtract(labels for (labels, _, _), _ in taken)
        if not self._rows:
            self._series_of.clear()
        overflow, self._overflowing = self._overflowing, _EMPTY_ROW[:]
        return TrafficCounts(
            {_series(*key): array("d", row) for key, row in taken},
            int(sum(overflow[REQUESTS.start : REQUESTS.sum_index])),
            is_last=not self._rows,
        )

    def _fold(self) -> None:
        samples, self._samples = self._samples, []
        all_rows = self._rows
        keys = list(zip(samples[::_WIDTH], samples[1::_WIDTH], samples[2::_WIDTH], strict=True))
        rows = {key: all_rows.get(key) or self._row(*key) for key in dict.fromkeys(keys)}
        columns = [samples[column::_WIDTH] for column in range(_KEY, _WIDTH)]
        if len(rows) <= _FEW_SERIES:
            for own, row in rows.items():
                is_own = [key == own for key in keys]
                for histogram, values in zip(HISTOGRAMS, columns, strict=True):
                    histogram.observe_all(row, compress(values, is_own))
        else:
            own_rows = [rows[key] for key in keys]
            for histogram, values in zip(HISTOGRAMS, columns, strict=True):
                histogram.observe(own_rows, values)

    def _row(self, labels: RouteLabels, method: bytes, status: int) -> list[float]:
        """:return: the row of a series that has none yet, or is known by another key."""
        key = (labels, method if method in METHODS else b"-", status if status in STATUSES else 0)
        row = self._rows.get(key)
        if row is None and self._is_crowded(labels):
            key = (labels, _OTHER, key[2] // 100)
            row = self._rows.get(key)
        if row is None and len(self._rows) >= MAX_SERIES:
            return self._overflowing
        if row is None:
            row = self._rows[key] = _EMPTY_ROW[:]
            self._series_of[labels] += 1
        return row

    def _is_crowded(self, labels: RouteLabels) -> bool:
        return len(self._rows) >= CROWDED or self._series_of[labels] >= MAX_ROUTE_SERIES


def _series(labels: RouteLabels, method: bytes, status: int) -> Series:
    """:param status: a class if it has one digit; 0 for unknown statuses."""
    text = f"{status}xx" if 0 < status < STATUSES.start else str(status or "-")
    return Series(labels, method.decode("ascii"), text)
