"""Tests of `ingress.telemetry.traffic`."""

from __future__ import annotations

import pickle

from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import UpstreamKey
from ingress.http1.request_head import parse_request_head
from ingress.routing.route import Route, RouteLabels
from ingress.telemetry.histogram import HISTOGRAMS, REQUESTS, ROW_SIZE, Row
from ingress.telemetry.traffic import (
    MAX_ROUTE_SERIES,
    MAX_SERIES,
    METHODS,
    NO_ROUTE,
    STATUSES,
    Series,
    Traffic,
)

ROUTE = Route(
    ("default", "shop"), UpstreamKey("default", "web", "http"), path="/cart", host="a.example"
)
LABELS = RouteLabels("a.example", "default", "shop", "web", "/cart")


def requests(row: Row) -> float:
    """How many requests a row counts."""
    return sum(REQUESTS.buckets(row))


class TrafficTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.traffic = Traffic()

    def count(self, route: Route | None = ROUTE, method: bytes = b"GET", status: int = 200) -> None:
        self.traffic.count(route, method, status, 0.5, 0.25, 0.125, 0.0625, 300, 2000)

    def taken(self) -> dict[Series, Row]:
        counts = self.traffic.take()
        self.assertTrue(counts.is_last)
        self.assertEqual(counts.overflow, 0)
        return counts.rows

    def test_observed(self) -> None:
        """Each number goes to the histogram of its name."""
        self.count()
        row = self.taken()[Series(LABELS, "GET", "200")]
        sums = {histogram.name: row[histogram.sum_index] for histogram in HISTOGRAMS}
        self.assertEqual(
            sums,
            {
                "request_duration_seconds": 0.5,
                "response_duration_seconds": 0.25,
                "header_duration_seconds": 0.125,
                "connect_duration_seconds": 0.0625,
                "request_size": 300,
                "response_size": 2000,
            },
        )

    def test_no_endpoint(self) -> None:
        """What the proxy answered itself has no times of an endpoint."""
        self.traffic.count(ROUTE, b"GET", 503, 0.001, None, None, None, 300, 200)
        row = self.taken()[Series(LABELS, "GET", "503")]
        observed = {each.name for each in HISTOGRAMS if sum(each.buckets(row))}
        self.assertEqual(observed, {"request_duration_seconds", "request_size", "response_size"})

    def test_series(self) -> None:
        """Rules, methods and statuses are counted apart."""
        other = Route(("default", "shop"), None, host="*.a.example")
        self.count()
        self.count(status=404)
        self.count(method=b"POST")
        self.count(other)
        labels = RouteLabels("*.a.example", "default", "shop", "", "/")
        self.assertEqual(
            {series: requests(row) for series, row in self.taken().items()},
            {
                Series(LABELS, "GET", "200"): 1,
                Series(LABELS, "GET", "404"): 1,
                Series(LABELS, "POST", "200"): 1,
                Series(labels, "GET", "200"): 1,
            },
        )

    def test_no_route(self) -> None:
        """Requests without a rule are one series, whatever host they ask for."""
        self.count(None, status=404)
        self.assertEqual(list(self.taken()), [Series(NO_ROUTE, "GET", "404")])
        self.assertEqual(NO_ROUTE, ("_", "", "", "", "", ""))

    def test_any_host(self) -> None:
        """A rule without host is told as that of the host ``_``."""
        self.assertEqual(Route(("default", "shop"), None).labels.host, "_")

    def test_unknown(self) -> None:
        """Methods and statuses that nobody knows are one series."""
        self.count(method=b"BREW")
        self.count(method=b"")
        self.count(status=600)
        self.count(status=999)
        self.assertEqual(
            {series: requests(row) for series, row in self.taken().items()},
            {Series(LABELS, "-", "200"): 2, Series(LABELS, "GET", "-"): 2},
        )

    def test_methods(self) -> None:
        """Each method that has a series of its own is known to the parser."""
        for method in METHODS - {b"CONNECT"}:
            head = b"%b / HTTP/1.1\r\nHost: a.example\r\n\r\n" % method
            self.assertEqual(parse_request_head(head)[0].method, method)

    def test_many_requests(self) -> None:
        """None is lost or counted twice, however many there are between two takes."""
        for _ in range(2500):
            self.count()
        self.count(status=404)
        rows = self.taken()
        self.assertEqual(requests(rows[Series(LABELS, "GET", "200")]), 2500)
        self.assertEqual(requests(rows[Series(LABELS, "GET", "404")]), 1)

    def test_taken(self) -> None:
        """What was taken is not taken again."""
        self.count()
        self.taken()
        self.assertEqual(self.taken(), {})
        self.count()
        self.assertEqual(requests(self.taken()[Series(LABELS, "GET", "200")]), 1)

    def test_take_some(self) -> None:
        """Of more series than one takes at once the rest is for the next take."""
        for status in range(200, 205):
            self.count(status=status)
        counts = [self.traffic.take(2) for _ in range(3)]
        self.assertEqual([each.is_last for each in counts], [False, False, True])
        statuses = [series.status for each in counts for series in each.rows]
        self.assertEqual(sorted(statuses), ["200", "201", "202", "203", "204"])

    def test_overflow(self) -> None:
        """Requests that find no room for a series are counted, each of them."""
        for number in range(MAX_SERIES + 2):
            self.count(Route(("default", "shop"), None, host=f"{number}.example"))
        self.count(Route(("default", "shop"), None, host="0.example"))
        self.count(Route(("default", "shop"), None, host=f"{MAX_SERIES}.example"))
        counts = self.traffic.take(MAX_SERIES)
        self.assertEqual(len(counts.rows), MAX_SERIES)
        self.assertEqual(counts.overflow, 3)
        self.assertEqual(self.traffic.take().overflow, 0)

    def test_many_of_one_rule(self) -> None:
        """A rule with many methods and statuses gets a few coarse series, and others keep theirs."""
        other = Route(("default", "shop"), None, host="b.example")
        for method in sorted(METHODS)[:3]:
            for status in (*STATUSES, 600):
                self.count(method=method, status=status)
        self.count(other)
        rows = self.traffic.take(MAX_SERIES).rows
        coarse = {
            series.status: requests(row) for series, row in rows.items() if series.method == "other"
        }
        fine = sum(series.route == LABELS for series in rows) - len(coarse)
        self.assertEqual(fine, MAX_ROUTE_SERIES)
        self.assertEqual(set(coarse), {"-", "1xx", "2xx", "3xx", "4xx", "5xx"})
        self.assertEqual(fine + sum(coarse.values()), 3 * (len(STATUSES) + 1))
        self.assertIn(Series(other.labels, "GET", "200"), rows)

    def test_many_of_one_rule_taken(self) -> None:
        """After a take a rule has room for fine series again."""
        for status in STATUSES:
            self.count(status=status)
        self.traffic.take(MAX_SERIES)
        self.count(status=599)
        self.assertEqual(list(self.taken()), [Series(LABELS, "GET", "599")])

    def test_pickled(self) -> None:
        """Counts go from process to process."""
        self.count()
        counts = self.traffic.take()
        self.assertEqual(pickle.loads(pickle.dumps(counts)), counts)
        row = counts.rows[Series(LABELS, "GET", "200")]
        self.assertEqual(len(row), ROW_SIZE)

    def test_counted_apart(self) -> None:
        """Two recorders that count requests of one Route take nothing from each other."""
        other = Traffic()
        for traffic in (self.traffic, other, self.traffic):
            traffic.count(ROUTE, b"GET", 200, 0.5, None, None, None, 1, 1)
        self.assertEqual(requests(self.taken()[Series(LABELS, "GET", "200")]), 2)
        self.assertEqual(requests(other.take().rows[Series(LABELS, "GET", "200")]), 1)

    def test_taken_in_parts(self) -> None:
        """What a rule counts while its series are being taken is in the next ones."""
        for status in range(200, 210):
            self.count(status=status)
        first = self.traffic.take(4)
        self.assertFalse(first.is_last)
        self.count(status=209)
        self.count(status=200)
        rows = [first.rows, self.taken()]
        self.assertEqual(sum(requests(row) for part in rows for row in part.values()), 12)
        self.count()
        self.assertEqual(sum(map(requests, self.taken().values())), 1)

    def test_equal_routes(self) -> None:
        """A rule that was built anew is counted on."""
        self.count()
        self.count(Route(ROUTE.ingress, ROUTE.upstream, path="/cart", host="a.example"))
        self.assertEqual(requests(self.taken()[Series(LABELS, "GET", "200")]), 2)
