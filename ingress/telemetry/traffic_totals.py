"""
The traffic of all processes since the start, for the rules that still exist.

::

    merge ─► room for the series? ─► full detail
                 └─ no: fold statuses, fold methods, no histograms, not counted by rule

The number of lines is bounded. When a series finds no room, the routes that have most
series give up detail first: their statuses become classes, and when that frees no more
lines, their methods become ``other``. After that new series have no histograms. The number
of requests of a route is given up last.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import add
from typing import ClassVar, Final

from twisted.logger import Logger

from ingress.config import Limits
from ingress.routing.route import Route, RouteLabels
from ingress.routing.snapshot import Snapshot, VirtualHost
from ingress.steps import STRIDE, Steps
from ingress.telemetry.folding import LINES_OF_HISTOGRAMS, OTHER, Detail, Outcome, folded
from ingress.telemetry.histogram import REQUESTS, ROW_SIZE, Row
from ingress.telemetry.traffic import MAX_ROUTE_SERIES, NO_ROUTE, Series, TrafficCounts

_FIRST_SHARES: Final = {Detail.FULL: MAX_ROUTE_SERIES, Detail.CLASSES: MAX_ROUTE_SERIES}

_WARNINGS: Final = {
    Detail.FULL: "routes with many series show classes of statuses (4xx) instead of statuses",
    Detail.CLASSES: 'routes with many series show the method "other"',
    Detail.COARSE: "new series have no histograms",
}
"""What follows when no room is left at this detail."""


@dataclass(slots=True, eq=False)
class SeriesTotals:
    """The totals of one series."""

    requests: int = 0
    row: Row | None = None
    """The histograms; None if there was no room for them."""


@dataclass(slots=True)
class _RouteTotals:
    """The totals of one route."""

    series: dict[Outcome, SeriesTotals] = field(default_factory=dict)
    detail: Detail = Detail.FULL


@dataclass(slots=True)
class _HostTotals:
    """The totals of the routes of one host."""

    routes: dict[RouteLabels, _RouteTotals] = field(default_factory=dict)
    checked: VirtualHost | None = None
    """The host that `routes` were last compared with; None if they were not."""


class TrafficTotals:
    """
    The series of one proxy, by rule.

    :param limit: the most lines of metrics that they may have.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(self, limit: int = Limits().metric_lines) -> None:
        self.limit = limit
        self._hosts: dict[str, _HostTotals] = {}
        self._count = 0
        self._detailed: dict[SeriesTotals, None] = {}
        """The series that have histograms, in the order in which they got them."""

        self._shares = dict(_FIRST_SHARES)
        """The most series that a route may have at this detail; beyond it, it is folded."""

        self._warned: set[Detail] = set()

        self.requests = 0
        """All requests, including those of rules that are gone."""

        self.overflow = 0
        """Requests that are in no series, because there were too many."""

        self.folded = Counter({"status": 0, "method": 0, "histograms": 0})
        """Requests that are in a series without their exact status, method or histograms."""

    def __repr__(self) -> str:
        return f"<TrafficTotals {self._count} series of {len(self._hosts)} hosts>"

    def __len__(self) -> int:
        """The number of series."""
        return self._count

    @property
    def lines(self) -> int:
        """The most lines that all series take."""
        return self._count + LINES_OF_HISTOGRAMS * len(self._detailed)

    def __iter__(self) -> Iterator[tuple[Series, SeriesTotals]]:
        """Each series with its totals; series that come or go meanwhile may be left out."""
        for host in tuple(self._hosts.values()):
            for labels, route in tuple(host.routes.items()):
                for (method, status), series in tuple(route.series.items()):
                    yield Series(labels, method, status), series

    def apply(self, limit: int) -> None:
        """Keep to a new limit."""
        if limit > self.limit:
            self._relax()
        self.limit = limit
        while self.lines > limit and self._tighten():
            pass
        while self.lines > limit and self._detailed:
            self._strip_newest()

    def merge(self, counts: TrafficCounts) -> None:
        """Add the counts of a process."""
        self.overflow += counts.overflow
        self.requests += counts.overflow
        for (labels, method, status), counted in counts.rows.items():
            requests = int(sum(REQUESTS.buckets(counted)))
            self.requests += requests
            route = self._route(labels)
            if method == OTHER and route.detail < Detail.COARSE:
                # The process had to fold this route already.
                self._fold(route, Detail.COARSE)
            series = route.series.get(folded(method, status, route.detail))
            if series is None:
                series = self._new_series(route, method, status)
            if series is None:
                self.overflow += requests
                continue
            series.requests += requests
            if series.row is not None:
                series.row[:] = array("d", map(add, series.row, counted))
            else:
                self.folded["histograms"] += requests
            self._count_folded(requests, Detail.FULL, route.detail)

    def _count_folded(self, requests: int, before: Detail, after: Detail) -> None:
        if before < Detail.CLASSES <= after:
            self.folded["status"] += requests
        if before < Detail.COARSE <= after:
            self.folded["method"] += requests

    # Room for series.

    def _new_series(self, route: _RouteTotals, method: str, status: str) -> SeriesTotals | None:
        """:return: the series, which may exist after folding; None if there is no room at all."""
        while True:
            key = folded(method, status, route.detail)
            series = route.series.get(key)
            if series is not None:
                return series
            if len(route.series) >= self._shares.get(route.detail, MAX_ROUTE_SERIES):
                self._fold(route, Detail(route.detail + 1))
            elif self.lines + 1 + LINES_OF_HISTOGRAMS <= self.limit:
                return self._put(route, key, has_histograms=True)
            elif not self._tighten():
                break
        self._warn(Detail.COARSE)
        while self.lines >= self.limit and self._detailed:
            self._strip_newest()
        return self._put(route, key, has_histograms=False) if self.lines < self.limit else None

    def _put(self, route: _RouteTotals, key: Outcome, *, has_histograms: bool) -> SeriesTotals:
        series = route.series[key] = SeriesTotals()
        self._count += 1
        if has_histograms:
            series.row = array("d", bytes(8 * ROW_SIZE))
            self._detailed[series] = None
        return series

    def _tighten(self) -> bool:
        """
        Fold the routes that have more than half as many series as the largest one.

        Statuses are folded in all routes before the first method is. A route always has
        one series with full detail: to fold it would free no line.

        :return: whether there was something left to fold.
        """
        for detail, share in self._shares.items():
            if share > 1:
                self._warn(detail)
                routes = [
                    route
                    for host in self._hosts.values()
                    for route in host.routes.values()
                    if route.detail == detail and len(route.series) > 1
                ]
                largest = max((len(route.series) for route in routes), default=1)
                share = self._shares[detail] = max(1, min(share, largest) // 2)
                for route in routes:
                    if len(route.series) > share:
                        self._fold(route, Detail(detail + 1))
                return True
        return False

    def _relax(self) -> None:
        """Allow new routes full detail again; those that were folded stay so."""
        self._shares = dict(_FIRST_SHARES)
        self._warned.clear()

    def _warn(self, detail: Detail) -> None:
        if detail not in self._warned:
            self._warned.add(detail)
            self.log.warn(
                "Metrics of requests would take more than limits.metric-lines: {consequence}",
                consequence=_WARNINGS[detail],
            )

    def _fold(self, route: _RouteTotals, detail: Detail) -> None:
        """Count the series of a route together that are the same at this detail."""
        before, route.series = route.series, {}
        for (method, status), series in before.items():
            kept = route.series.setdefault(folded(method, status, detail), series)
            self._count_folded(series.requests, route.detail, detail)
            if kept is not series:
                self._absorb(kept, series)
        route.detail = detail

    def _absorb(self, kept: SeriesTotals, gone: SeriesTotals) -> None:
        kept.requests += gone.requests
        if kept.row is not None and gone.row is not None:
            kept.row = array("d", map(add, kept.row, gone.row))
        elif gone.row is not None:
            kept.row = gone.row
            self._detailed[kept] = None
        self._forget(gone)

    def _forget(self, series: SeriesTotals) -> None:
        self._count -= 1
        self._detailed.pop(series, None)

    def _strip_newest(self) -> None:
        """Give up the histograms of the series that got them last."""
        series, _ = self._detailed.popitem()
        series.row = None
        self.folded["histograms"] += series.requests

    # Rules that are gone.

    def retain(self, snapshot: Snapshot) -> Steps[None]:
        """
        Forget the series of rules that are gone. Hosts that are the same object as at
        the last comparison are skipped.
        """
        for count, (name, host) in enumerate(tuple(self._hosts.items())):
            current = _virtual_host(snapshot, name)
            if current is None or current is not host.checked:
                yield from self._retain_host(name, host, current, snapshot.default_route)
            elif count % STRIDE == STRIDE - 1:
                yield
        if self.lines < self.limit // 2:
            self._relax()

    def _retain_host(
        self, name: str, host: _HostTotals, current: VirtualHost | None, default: Route | None
    ) -> Steps[None]:
        live = {NO_ROUTE} if default is None else {NO_ROUTE, default.labels}
        for count, route in enumerate(current.routes() if current is not None else ()):
            live.add(route.labels)
            live.update(canary.labels for canary in route.canary_routes)
            if count % STRIDE == STRIDE - 1:
                yield
        for labels in host.routes.keys() - live:
            for series in host.routes.pop(labels).series.values():
                self._forget(series)
        host.checked = current
        if not host.routes:
            self._hosts.pop(name, None)
        yield

    def _route(self, labels: RouteLabels) -> _RouteTotals:
        host = self._hosts.get(labels.host)
        if host is None:
            host = self._hosts[labels.host] = _HostTotals()
        route = host.routes.get(labels)
        if route is None:
            route = host.routes[labels] = _RouteTotals()
            host.checked = None
        return route


def _virtual_host(snapshot: Snapshot, name: str) -> VirtualHost | None:
    """
    :param name: the value of the label.
    """
    if name == NO_ROUTE.host:
        return snapshot.any_host
    if name.startswith("*."):
        return snapshot.wildcard_hosts.get(name[2:].encode())
    return snapshot.hosts.get(name.encode())
