"""Tests of `ingress.telemetry.relay_families` and of what it shows, `relay_counts`."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import UpstreamKey
from ingress.telemetry import relay_counts
from ingress.telemetry.counts import Counters
from ingress.telemetry.exposition import pieces
from ingress.telemetry.relay_counts import RelayCounts, RelayLabels, count_relay
from ingress.telemetry.relay_families import relay_families
from ingress.telemetry.relay_outcome import RelayOutcome
from ingress.telemetry.relay_record import RelayRecord
from ingress.telemetry.vitals import Connections, Relays, Vitals


def over(port: int = 9000, outcome: RelayOutcome = RelayOutcome.OK) -> RelayRecord:
    record = RelayRecord("TCP", "192.0.2.1", port, UpstreamKey("default", "web", "80"), 0.0)
    record.received, record.sent, record.duration, record.outcome = 10, 20, 1.5, outcome
    return record


class FamilyTests(SynchronousTestCase):
    def test_families(self) -> None:
        """What is over by port, Service and outcome; what is open by protocol."""
        counters = Counters(udp=Counter(full=3))
        for outcome in (RelayOutcome.OK, RelayOutcome.OK, RelayOutcome.IDLE):
            count_relay(counters.relays, over(outcome=outcome))
        vitals = [Vitals(Connections(), 0, relays=Relays(2, 1)), Vitals(Connections(), 0)]
        text = b"".join(pieces(relay_families(counters, vitals))).decode()
        labels = 'port="9000",protocol="TCP",service="web",service_port="80"'
        for line in (
            'txingress_relay_connections{protocol="TCP"} 2',
            'txingress_relay_connections{protocol="UDP"} 1',
            f'txingress_relay_connections_total{{namespace="default",outcome="ok",{labels}}} 2',
            'txingress_relay_connections_total{namespace="default",outcome="idle_timeout",'
            f"{labels}}} 1",
            f'txingress_relay_bytes_total{{direction="sent",namespace="default",{labels}}} 60',
            f'txingress_relay_duration_seconds_total{{namespace="default",{labels}}} 4.5',
            'txingress_udp_drops_total{reason="full"} 3',
        ):
            self.assertIn(f"{line}\n", text)

    def test_differences(self) -> None:
        """What is counted since a moment has nothing of what was the same."""
        before, after = Counters(), Counters()
        for counts in (before.relays, after.relays):
            count_relay(counts, over(1))
        count_relay(after.relays, over(2))
        since = after.since(before)
        self.assertEqual([labels.port for labels in since.relays], [2])
        before.add(since)
        self.assertEqual(before.relays[RelayLabels("TCP", 2, "default", "web", "80")].sent, 20)
        count_relay(after.relays, over(2))
        self.assertEqual(before.relays[RelayLabels("TCP", 2, "default", "web", "80")].sent, 20)

    def test_bounded(self) -> None:
        """Very many ports are counted together."""
        counts: RelayCounts = {}
        for port in range(relay_counts.MAX_LABELS + 10):
            count_relay(counts, over(port + 1))
        self.assertEqual(len(counts), relay_counts.MAX_LABELS + 1)
        self.assertEqual(counts[RelayLabels("TCP", 0)].outcomes, {"ok": 10})
