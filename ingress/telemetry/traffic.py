"""
The number, duration and size of requests, by rule, method and status.

::

    count ─► SeriesCounts of this process ─► take ─► TrafficCounts ─► TrafficTotals

`count` runs once a request. A rule has a `SeriesCounts` for each method and status, with the
numbers of all histograms. `TrafficTotals` adds up the counts of all processes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ingress.routing.route import Route, RouteLabels
from ingress.telemetry.folding import OTHER
from ingress.telemetry.histogram import Row
from ingress.telemetry.series_counts import SeriesCounts

MAX_SERIES: Final = 20_000
"""Series of one process between two takes: 10,000 rules with two outcomes each take 20 MB."""

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

TAKEN_AT_ONCE: Final = 500
"""Series of one take: taking and merging them takes a few milliseconds."""

NO_ROUTE: Final = RouteLabels("_")
"""
The labels of requests that no rule matched, or that were refused before. They have no
host: clients could make up any number of hosts.
"""

_OTHER: Final = OTHER.encode("ascii")


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


class _RouteSeries:
    """
    The series of one rule.

    :ivar by_outcome: by method and status; 0 for unknown statuses, one digit for a class of them.
    """

    __slots__ = ("by_outcome", "last", "last_method", "last_status", "traffic")

    def __init__(self, traffic: Traffic) -> None:
        self.traffic: Traffic | None = traffic
        """Whose series these are; None if they have been taken."""

        self.by_outcome: dict[tuple[bytes, int], SeriesCounts] = {}
        self.last: SeriesCounts | None = None
        """The series of the last request: the next one mostly has the same method and status."""

        self.last_method = b""
        self.last_status = 0


class Traffic:
    """What the exchanges of one process have counted since the last take."""

    def __init__(self) -> None:
        self._routes: dict[RouteLabels, _RouteSeries] = {}
        self._count = 0
        """How many series there are."""

        self._overflow = 0
        """Requests that are in no series."""

    def __repr__(self) -> str:
        return f"<Traffic {self._count} series of {len(self._routes)} rules>"

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
        series = None if route is None else route.found.series
        if isinstance(series, _RouteSeries) and series.traffic is self:
            found = series
        else:
            found = self._series_of(route)
        counts = found.last
        if counts is None or status != found.last_status or method != found.last_method:
            counts = self._find(found, method, status)
            if counts is None:
                self._overflow += 1
                if not found.by_outcome:
                    found.traffic = None
                    del self._routes[NO_ROUTE if route is None else route.labels]
                return
        counts.time.observe(request_time)
        if response_time is not None:
            counts.response_time.observe(response_time)
        if header_time is not None:
            counts.header_time.observe(header_time)
        if connect_time is not None:
            counts.connect_time.observe(connect_time)
        counts.request.observe(float(request_size))
        counts.response.observe(float(response_size))

    def _series_of(self, route: Route | None) -> _RouteSeries:
        labels = NO_ROUTE if route is None else route.labels
        found = self._routes.get(labels)
        if found is None:
            found = self._routes[labels] = _RouteSeries(self)
        if route is not None:
            route.found.series = found
        return found

    def _find(self, route: _RouteSeries, method: bytes, status: int) -> SeriesCounts | None:
        """:return: the series, which may be new; None if there is no room for one."""
        known = status if status in STATUSES else 0
        key = (method if method in METHODS else b"-", known)
        series = route.by_outcome
        counts = series.get(key)
        if counts is None and (self._count >= CROWDED or len(series) >= MAX_ROUTE_SERIES):
            key = (_OTHER, known // 100)
            counts = series.get(key)
        if counts is None:
            if self._count >= MAX_SERIES:
                return None
            counts = series[key] = SeriesCounts()
            self._count += 1
        route.last, route.last_method, route.last_status = counts, method, status
        return counts

    def take(self, most: int = TAKEN_AT_ONCE) -> TrafficCounts:
        """
        :param most: how many series to take; the others are for the next take.
        :return: what was counted since the last take.
        """
        rows: dict[Series, Row] = {}
        while self._routes and len(rows) < most:
            labels, route = self._routes.popitem()
            series = route.by_outcome
            while series and len(rows) < most:
                (method, status), counts = series.popitem()
                rows[_series(labels, method, status)] = counts.row()
            route.last = None
            if series:
                self._routes[labels] = route
            else:
                route.traffic = None
        self._count -= len(rows)
        overflow, self._overflow = self._overflow, 0
        return TrafficCounts(rows, overflow, is_last=not self._routes)


def _series(labels: RouteLabels, method: bytes, status: int) -> Series:
    """:param status: a class if it has one digit; 0 for unknown statuses."""
    text = f"{status}xx" if 0 < status < STATUSES.start else str(status or "-")
    return Series(labels, method.decode("ascii"), text)
