"""
The traffic of all processes since the start, for the rules that still exist.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import add

from ingress.routing.route import RouteLabels
from ingress.routing.snapshot import Snapshot, VirtualHost
from ingress.steps import STRIDE, Steps
from ingress.telemetry.histogram import REQUESTS, Row
from ingress.telemetry.traffic import (
    MAX_ROUTE_SERIES,
    MAX_SERIES,
    NO_ROUTE,
    Series,
    TrafficCounts,
)

_Outcome = tuple[str, str]
"""Method and status."""

_Rows = dict[_Outcome, Row]


@dataclass(slots=True)
class _HostTotals:
    """The totals of the rules of one host."""

    routes: dict[RouteLabels, _Rows] = field(default_factory=dict)
    checked: VirtualHost | None = None
    """The host that `routes` were last compared with; None if they were not."""


class TrafficTotals:
    """The series of one proxy, by rule."""

    def __init__(self) -> None:
        self._hosts: dict[str, _HostTotals] = {}
        self._count = 0
        self.requests = 0
        """All requests, including those of rules that are gone."""

        self.overflow = 0
        """Requests that are in no series, because there were too many."""

    def __repr__(self) -> str:
        return f"<TrafficTotals {self._count} series of {len(self._hosts)} hosts>"

    def __len__(self) -> int:
        """The number of series."""
        return self._count

    def __iter__(self) -> Iterator[tuple[Series, Row]]:
        """Each series with its row; series that come or go meanwhile may be left out."""
        for host in tuple(self._hosts.values()):
            for labels, rows in tuple(host.routes.items()):
                for (method, status), row in tuple(rows.items()):
                    yield Series(labels, method, status), row

    def merge(self, counts: TrafficCounts) -> None:
        """Add the counts of a process."""
        self.overflow += counts.overflow
        self.requests += counts.overflow
        for (labels, method, status), counted in counts.rows.items():
            requests = int(sum(REQUESTS.buckets(counted)))
            self.requests += requests
            host = self._hosts.get(labels.host)
            rows = host.routes.get(labels) if host is not None else None
            row = rows.get((method, status)) if rows is not None else None
            if row is not None:
                row[:] = array("d", map(add, row, counted))
            elif self._count >= MAX_SERIES or (rows and len(rows) >= MAX_ROUTE_SERIES):
                self.overflow += requests
            else:
                self._rows_of(labels)[method, status] = counted
                self._count += 1

    def retain(self, snapshot: Snapshot) -> Steps[None]:
        """
        Forget the series of rules that are gone. Hosts that are the same object as at
        the last comparison are skipped.
        """
        for count, (name, host) in enumerate(tuple(self._hosts.items())):
            current = _virtual_host(snapshot, name)
            if current is None or current is not host.checked:
                yield from self._retain_host(name, host, current)
            elif count % STRIDE == STRIDE - 1:
                yield

    def _retain_host(
        self, name: str, host: _HostTotals, current: VirtualHost | None
    ) -> Steps[None]:
        live = {NO_ROUTE}
        for count, route in enumerate(current.routes() if current is not None else ()):
            live.add(route.labels)
            if count % STRIDE == STRIDE - 1:
                yield
        for labels in host.routes.keys() - live:
            self._count -= len(host.routes.pop(labels))
        host.checked = current
        if not host.routes:
            self._hosts.pop(name, None)
        yield

    def _rows_of(self, labels: RouteLabels) -> _Rows:
        host = self._hosts.get(labels.host)
        if host is None:
            host = self._hosts[labels.host] = _HostTotals()
        rows = host.routes.get(labels)
        if rows is None:
            rows = host.routes[labels] = {}
            host.checked = None
        return rows


def _virtual_host(snapshot: Snapshot, name: str) -> VirtualHost | None:
    """
    :param name: the value of the label.
    """
    if name == NO_ROUTE.host:
        return snapshot.any_host
    if name.startswith("*."):
        return snapshot.wildcard_hosts.get(name[2:].encode())
    return snapshot.hosts.get(name.encode())
