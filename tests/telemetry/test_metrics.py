"""Tests of `ingress.telemetry.metrics`."""

from __future__ import annotations

import re
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Limits
from ingress.telemetry.counts import Counters, Counts
from ingress.telemetry.metrics import make_registry, metrics
from ingress.telemetry.traffic import Traffic
from tests.support.metrics import read_samples
from tests.support.objects import built, ingress, served
from tests.support.observed_proxy import HandProxy

COMPATIBLE = [
    "requests",
    "request_duration_seconds",
    "response_duration_seconds",
    "header_duration_seconds",
    "connect_duration_seconds",
    "request_size",
    "response_size",
    "nginx_process_connections",
    "nginx_process_connections_total",
    "nginx_process_requests_total",
    "nginx_process_num_procs",
    "nginx_process_cpu_seconds_total",
    "nginx_process_resident_memory_bytes",
    "nginx_process_virtual_memory_bytes",
    "nginx_process_read_bytes_total",
    "nginx_process_write_bytes_total",
    "nginx_process_oldest_start_time_seconds",
    "check_success",
    "build_info",
    "config_hash",
    "config_last_reload_successful",
    "config_last_reload_successful_timestamp_seconds",
    "success",
    "errors",
    "orphan_ingress",
    "leader_election_status",
]
"""Those of docs/compatibility.md, section 4, that are told without certificates."""


class MetricsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.hand = HandProxy(
            leases={"ingress-leader": 1}, ingress_checks=[(("default", "other"), 3)]
        )
        self.hand.published.publish(built(ingress("a.example", {"/": "web:80"}), served("web")))
        traffic = Traffic()
        (host,) = self.hand.published.built.snapshot.hosts.values()  # type: ignore[union-attr]
        traffic.count(host.route(b"/"), b"GET", 200, 0.5, 0.4, 0.3, 0.2, 300, 2000)
        self.hand.totals.merge(Counts(Counters(), traffic.take()))

    def text(self) -> str:
        return b"".join(metrics(self.hand.proxy, make_registry())).decode()

    def test_names(self) -> None:
        """All names that dashboards know are there, each once."""
        text = self.text()
        for name in COMPATIBLE:
            self.assertEqual(text.count(f"# TYPE nginx_ingress_controller_{name} "), 1, name)

    def test_parsed(self) -> None:
        """Prometheus's own client can read all of it, and no name comes twice."""
        text = self.text()
        self.assertTrue(list(text_string_to_metric_families(text)))
        names = re.findall(r"(?m)^# TYPE (\S+) ", text)
        self.assertEqual(len(names), len(set(names)))

    def test_process(self) -> None:
        """So are those of the process that answers."""
        names = {sample.name for sample in read_samples(self.text())}
        for name in ("process_open_fds", "python_info", "python_gc_collections_total"):
            self.assertIn(name, names)

    def test_gone(self) -> None:
        """The series of an Ingress that is gone are not told any more."""
        self.assertIn('ingress="web"', self.text())
        self.hand.published.publish(built())
        self.assertNotIn('ingress="web"', self.text())

    def test_limit(self) -> None:
        """The exposition has no more lines than the configuration allows."""
        limits = Limits(metric_lines=1000)
        self.hand.configured.current = replace(self.hand.configured.current, limits=limits)
        names = [f"{number}.example" for number in range(100)]
        rules = [ingress(name, {"/": "web:80"}, name=name) for name in names]
        self.hand.published.publish(built(*rules, served("web")))
        traffic = Traffic()
        for host in self.hand.published.built.snapshot.hosts.values():  # type: ignore[union-attr]
            for status in range(200, 240):
                traffic.count(host.route(b"/"), b"GET", status, 0.5, 0.4, 0.3, 0.2, 300, 2000)
        self.hand.totals.merge(Counts(Counters(), traffic.take(10_000)))
        text = self.text()
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        self.assertLessEqual(len(lines), 1000)
        requests = re.findall(r"(?m)^nginx_ingress_controller_requests\{.* (\d+)$", text)
        self.assertEqual(len(requests), len(names))
        self.assertEqual(sum(map(int, requests)), 40 * len(names))

    def test_before_the_first(self) -> None:
        """There are metrics before there is a Snapshot."""
        self.hand.published.built = None
        self.assertIn("nginx_ingress_controller_success", self.text())
