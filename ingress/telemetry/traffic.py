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
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, Final, NamedTuple

from ingress.routing.route import Route, RouteLabels
from ingress.telemetry.histogram import HISTOGRAMS, ROW_SIZE, Row

MAX_SERIES: Final = 20_000
"""Series that are kept apart: 10,000 rules with two outcomes each take 15 MB."""

MAX_ROUTE_SERIES: Final = 200
"""
Of one rule: its clients choose the method and its endpoints the status, and are
not to use up what is there for all.
"""

METHODS: Final = frozenset(
    b"ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY "
    b"MKCALENDAR MKCOL MOVE NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND "
    b"REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE".split()
)
"""Those that the parser knows; all others are told as ``-``."""

STATUSES: Final = range(100, 600)
"""All others are told as ``-``, too."""

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
    """Requests that were one series too many."""

    is_last: bool = True
    """Whether nothing was left for another take."""


class Traffic:
    """What the exchanges of one process have counted and nobody has taken yet."""

    def __init__(self) -> None:
        self._samples: list[Any] = []
        """
        Sample after sample in one list: neither a list for each series, which would
        be many, nor a tuple for each sample, which the garbage collector would see.
        """

        self._rows: dict[tuple[RouteLabels, bytes, int], list[float]] = {}
        self._overflow = 0

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
        An exchange is over. Times are in seconds, sizes in bytes.

        :param route: None where no rule matched.
        :param response_time: None where no endpoint answered; the next two likewise.
        :param connect_time: None as well where a connection was used again.
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
        :return: what was counted since it was taken last.
        """
        self._fold()
        count = min(most, len(self._rows))
        taken = [self._rows.popitem() for _ in range(count)]
        counts = TrafficCounts(
            {_series(*key): array("d", row) for key, row in taken},
            self._overflow,
            is_last=not self._rows,
        )
        self._overflow = 0
        return counts

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
        if row is None:
            row = _EMPTY_ROW[:]
            if len(self._rows) < MAX_SERIES:
                self._rows[key] = row
            else:
                self._overflow += 1
        return row


def _series(labels: RouteLabels, method: bytes, status: int) -> Series:
    return Series(labels, method.decode("ascii"), str(status or "-"))
