"""Tests of `ingress.telemetry.folding`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import UpstreamKey
from ingress.routing.route import Route
from ingress.telemetry.exposition import pieces
from ingress.telemetry.folding import LINES_OF_HISTOGRAMS, Detail, folded, status_class
from ingress.telemetry.traffic import Traffic
from ingress.telemetry.traffic_families import traffic_families
from ingress.telemetry.traffic_totals import TrafficTotals


class FoldingTests(SynchronousTestCase):
    def test_details(self) -> None:
        """Statuses are folded before methods."""
        self.assertEqual(folded("GET", "404", Detail.FULL), ("GET", "404"))
        self.assertEqual(folded("GET", "404", Detail.CLASSES), ("GET", "4xx"))
        self.assertEqual(folded("GET", "404", Detail.COARSE), ("other", "4xx"))

    def test_classes(self) -> None:
        """A class stays as it is, and so does an unknown status."""
        for status, expected in (("100", "1xx"), ("599", "5xx"), ("5xx", "5xx"), ("-", "-")):
            self.assertEqual(status_class(status), expected)

    def test_lines(self) -> None:
        """The number of lines is that of a series in which everything was observed."""
        traffic, totals = Traffic(), TrafficTotals()
        route = Route(("default", "web"), UpstreamKey("default", "web", "80"), host="a.example")
        traffic.count(route, b"GET", 200, 0.5, 0.4, 0.3, 0.2, 300, 2000)
        totals.merge(traffic.take())
        text = b"".join(pieces(traffic_families(totals, {}))).decode()
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        self.assertEqual(len(lines), 1 + LINES_OF_HISTOGRAMS)
        self.assertEqual(totals.lines, len(lines))
