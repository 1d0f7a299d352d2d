"""Tests of `ingress.telemetry.process_families`."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.limiter import LimitLabels
from ingress.telemetry.counts import Counters, Counts
from ingress.telemetry.exposition import pieces
from ingress.telemetry.process_families import process_families
from ingress.telemetry.traffic import Traffic
from ingress.telemetry.vitals import Connections, Vitals
from tests.support.metrics import read_samples, sample_value
from tests.support.observed_proxy import HandProxy

NGINX = "nginx_ingress_controller_nginx_process_"


class ProcessFamiliesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.hand = HandProxy()

    def text(self) -> str:
        proxy = self.hand.proxy
        return b"".join(pieces(process_families(proxy, proxy.constants()))).decode()

    def value(self, name: str, /, **labels: str) -> float | None:
        return sample_value(self.text(), name, **labels)

    def test_connections(self) -> None:
        """Connections of all processes, by what goes on in them."""
        self.hand.reports.processes = [
            Vitals(Connections(1, 2, 3), 0),
            Vitals(Connections(10, 20, 30), 0),
        ]
        self.hand.totals.counters.accepted = 100
        self.hand.totals.counters.refused = 7
        states = {"reading": 11, "writing": 22, "waiting": 33, "active": 66}
        for state, expected in states.items():
            self.assertEqual(self.value(f"{NGINX}connections", state=state), expected)
        self.assertEqual(self.value(f"{NGINX}connections_total", state="accepted"), 100)
        self.assertEqual(self.value(f"{NGINX}connections_total", state="handled"), 93)

    def test_usage(self) -> None:
        """Processes, their memory, and what they used, that of ended ones included."""
        self.hand.reports.processes = [
            Vitals(Connections(), 1000, 5000, 1790000002.5),
            Vitals(Connections(), 500, 2000, 1790000001.5),
        ]
        counters = self.hand.totals.counters
        counters.cpu_seconds, counters.read_bytes, counters.written_bytes = 1e6, 1 << 50, 1 << 51
        self.assertEqual(self.value(f"{NGINX}virtual_memory_bytes"), 7000)
        self.assertEqual(self.value(f"{NGINX}oldest_start_time_seconds"), 1790000001)
        for name, least in (("read_bytes_total", 1 << 50), ("write_bytes_total", 1 << 51)):
            value = self.value(f"{NGINX}{name}")
            assert value is not None
            self.assertGreaterEqual(value, least)
        self.assertEqual(self.value(f"{NGINX}num_procs"), 2)
        self.assertEqual(self.value(f"{NGINX}resident_memory_bytes"), 1500)
        seconds = self.value(f"{NGINX}cpu_seconds_total")
        assert seconds is not None
        self.assertGreater(seconds, 1e6)

    def test_no_process(self) -> None:
        """Without any worker there are no connections."""
        self.hand.reports.processes = []
        self.assertEqual(self.value(f"{NGINX}connections", state="active"), 0)

    def test_requests(self) -> None:
        """All requests are counted, and by how they ended."""
        traffic = Traffic()
        for _ in range(5):
            traffic.count(None, b"GET", 404, 0.5, None, None, None, 1, 1)
        outcomes = Counter(no_route=2, client_lost=1, ok=2)
        self.hand.totals.merge(Counts(Counters(outcomes=outcomes), traffic.take()))
        self.assertEqual(self.value(f"{NGINX}requests_total"), 5)
        for outcome, expected in {"no_route": 2, "client_lost": 1, "ok": 2}.items():
            self.assertEqual(self.value("txingress_exchanges_total", outcome=outcome), expected)

    def test_own(self) -> None:
        """What ingress-nginx has no name for."""
        self.hand.totals.counters.add(
            Counters(
                retries=1,
                ejections=2,
                dropped_lines=3,
                dropped_fields=5,
                beyond_share=Counter(connections=6),
                gave_way=7,
                policy_failures=Counter(token=8),
                spans=Counter(dropped=11),
                slow_policy_calls=Counter(token=9),
                limited=Counter({LimitLabels("default", "web", "rps", is_dry=True): 10}),
            )
        )
        self.hand.totals.traffic.overflow = 4
        refusals = "txingress_share_refusals_total"
        self.assertEqual(self.value(refusals, share="connections"), 6)
        self.assertEqual(self.value("txingress_connections_given_up_total"), 7)
        self.assertEqual(self.value("txingress_http2_streams", side="client"), 0)
        self.assertEqual(self.value("txingress_policy_failures_total", policy="token"), 8)
        self.assertEqual(self.value("txingress_spans_total", result="dropped"), 11)
        self.assertEqual(self.value("txingress_policy_slow_calls_total", policy="token"), 9)
        labels = {"namespace": "default", "ingress": "web", "limit": "rps", "dry_run": "true"}
        self.assertEqual(self.value("txingress_limit_refusals_total", **labels), 10)
        self.assertEqual(self.value("txingress_retries_total"), 1)
        self.assertEqual(self.value("txingress_endpoint_ejections_total"), 2)
        self.assertEqual(self.value("txingress_access_log_dropped_lines_total"), 3)
        self.assertEqual(self.value("txingress_dropped_fields_total"), 5)
        self.assertEqual(self.value("txingress_unlabelled_requests_total"), 4)
        self.assertEqual(self.value("txingress_workers_lost_total"), 2)

    def test_constants(self) -> None:
        """What has the names of ingress-nginx has the labels of the controller."""
        constants = self.hand.proxy.constants()
        for sample in read_samples(self.text()):
            if sample.name.startswith(NGINX):
                self.assertLessEqual(constants.items(), sample.labels.items())
            else:
                self.assertTrue(constants.keys().isdisjoint(sample.labels))
