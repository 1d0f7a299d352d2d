"""Tests of `ingress.telemetry.traffic_families`."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import UpstreamKey
from ingress.policy.canary import Canary
from ingress.policy.canary_rule import Canaries, CanaryRule
from ingress.routing.route import MAX_PATH_LABEL, Route
from ingress.telemetry.exposition import pieces
from ingress.telemetry.traffic import Traffic
from ingress.telemetry.traffic_families import traffic_families
from ingress.telemetry.traffic_totals import TrafficTotals
from tests.support.metrics import Sample, read_samples

CONSTANTS = {
    "controller_class": "txingress.dev/ingress",
    "controller_namespace": "ingress",
    "controller_pod": "ingress-1",
}
LABELS = CONSTANTS | {
    "host": "a.example",
    "namespace": "default",
    "ingress": "shop",
    "service": "web",
    "canary": "",
    "path": "/cart",
    "method": "GET",
    "status": "200",
}
ROUTE = Route(
    ("default", "shop"), UpstreamKey("default", "web", "http"), path="/cart", host="a.example"
)
PREFIX = "nginx_ingress_controller_"


class TrafficFamiliesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.traffic = Traffic()
        self.totals = TrafficTotals()

    def text(self) -> str:
        counts = self.traffic.take()
        self.totals.merge(counts)
        return b"".join(pieces(traffic_families(self.totals, CONSTANTS))).decode()

    def samples(self) -> list[Sample]:
        """Those that Prometheus's own client reads."""
        return list(read_samples(self.text()))

    def count(
        self, route: Route | None = ROUTE, status: int = 200, connect: float | None = None
    ) -> None:
        self.traffic.count(route, b"GET", status, 0.03, 0.02, 0.01, connect, 150, 2500)

    def test_names(self) -> None:
        """The names are those that dashboards know, and so are the labels of each."""
        self.count(connect=0.005)
        histograms = (
            "request_duration_seconds",
            "response_duration_seconds",
            "header_duration_seconds",
            "connect_duration_seconds",
            "request_size",
            "response_size",
        )
        expected = {f"{PREFIX}requests"} | {
            f"{PREFIX}{name}_{suffix}"
            for name in histograms
            for suffix in ("bucket", "sum", "count")
        }
        samples = self.samples()
        self.assertEqual({sample.name for sample in samples}, expected)
        for sample in samples:
            labels = dict(sample.labels)
            self.assertEqual("le" in labels, sample.name.endswith("_bucket"), sample)
            labels.pop("le", None)
            self.assertEqual(labels, LABELS)

    def test_kinds(self) -> None:
        """Requests are a counter without a suffix, as ingress-nginx has it."""
        self.count()
        text = self.text()
        self.assertIn("\n# TYPE nginx_ingress_controller_requests counter\n", f"\n{text}")
        self.assertIn("\n# TYPE nginx_ingress_controller_request_size histogram\n", text)

    def test_requests(self) -> None:
        """Requests are counted, whatever they came to."""
        for status in (200, 200, 503):
            self.count(status=status)
        self.assertEqual(
            {
                sample.labels["status"]: sample.value
                for sample in self.samples()
                if sample.name == f"{PREFIX}requests"
            },
            {"200": 2, "503": 1},
        )

    def test_canary(self) -> None:
        """What went to a canary is counted apart, with the Service of the rule."""
        rule = CanaryRule(("default", "n"), UpstreamKey("default", "new", "80"), Canary(), 0.5)
        self.count()
        self.count(replace(ROUTE, canaries=Canaries((rule,))).canary_routes[0])
        found = [sample for sample in self.samples() if sample.name == f"{PREFIX}requests"]
        self.assertEqual(
            sorted((dict(sample.labels) for sample in found), key=lambda one: one["canary"]),
            [LABELS, LABELS | {"canary": "default-new-80"}],
        )

    def test_buckets(self) -> None:
        """Buckets are cumulative, and their bounds are written as Go writes them."""
        self.count()
        self.traffic.count(ROUTE, b"GET", 200, 60.0, 0.02, 0.01, None, 150, 20_000_000)
        buckets = {
            (sample.name.removeprefix(PREFIX), sample.labels["le"]): sample.value
            for sample in self.samples()
            if "le" in sample.labels
        }
        name = "request_duration_seconds_bucket"
        bounds = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10")
        self.assertEqual([buckets[name, bound] for bound in bounds], [0] * 3 + [1] * 8)
        self.assertEqual(buckets[name, "+Inf"], 2)
        sizes = ("10", "100", "1000", "10000", "100000", "1e+06", "1e+07", "+Inf")
        self.assertEqual(
            [buckets["response_size_bucket", bound] for bound in sizes], [0] * 3 + [1] * 4 + [2]
        )

    def test_sums(self) -> None:
        """Sums and counts are those of what was observed."""
        self.count()
        self.count()
        values = {
            sample.name.removeprefix(PREFIX): sample.value
            for sample in self.samples()
            if "le" not in sample.labels
        }
        self.assertEqual(values["request_duration_seconds_sum"], 0.06)
        self.assertEqual(values["request_duration_seconds_count"], 2)
        self.assertEqual(values["response_size_sum"], 5000)
        self.assertEqual(values["header_duration_seconds_sum"], 0.02)

    def test_never_observed(self) -> None:
        """What was never measured is not told as zero: an endpoint that was not asked is not fast."""
        self.traffic.count(None, b"GET", 404, 0.001, None, None, None, 150, 200)
        names = {sample.name for sample in self.samples()}
        self.assertNotIn(f"{PREFIX}header_duration_seconds_count", names)
        self.assertIn(f"{PREFIX}request_duration_seconds_count", names)

    def test_escaped(self) -> None:
        """A path may have any characters, and a long one is cut."""
        path = '/"quoted"\\back\nline' + "x" * MAX_PATH_LABEL
        self.count(Route(("default", "shop"), None, path=path, host="a.example"))
        self.assertEqual(
            {sample.labels["path"] for sample in self.samples()}, {path[:MAX_PATH_LABEL]}
        )

    def test_sorted(self) -> None:
        """Labels are in the order in which ingress-nginx has them."""
        self.count()
        first = next(line for line in self.text().splitlines() if not line.startswith("#"))
        names = [pair.partition("=")[0] for pair in first.partition("{")[2].split(",")]
        self.assertEqual(names, sorted(LABELS))
