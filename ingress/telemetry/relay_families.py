"""
The metrics of TCP and UDP services. ingress-nginx has none of them.

A connection or session is counted when it is over, with its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from ingress.telemetry.controller_families import OWN_PREFIX
from ingress.telemetry.counts import Counters
from ingress.telemetry.exposition import Family, by_label, label_text, line, number
from ingress.telemetry.relay_counts import RelayCounts, RelayLabels
from ingress.telemetry.vitals import Relays, Vitals

_PREFIX: Final = f"{OWN_PREFIX}_relay"


def relay_families(counters: Counters, vitals: Iterable[Vitals]) -> Iterator[Family]:
    """Yield the families of all TCP and UDP services."""
    columns = zip(*(each.relays for each in vitals), strict=True)
    open_now = Relays(*map(sum, columns))
    family = Family(
        f"{_PREFIX}_connections",
        "gauge",
        "Connections of TCP services and sessions of UDP services that are open",
    )
    yield by_label(family, "protocol", {"TCP": open_now.tcp, "UDP": open_now.udp})
    counts = counters.relays
    for name, help_text, lines, label in (
        ("connections_total", "Connections and sessions that are over", _outcomes, "outcome"),
        ("bytes_total", "Bytes from clients (received) and to them (sent)", _bytes, "direction"),
        ("duration_seconds_total", "How long they lasted", _seconds, ""),
    ):
        labels = (*RelayLabels._fields, label) if label else RelayLabels._fields
        yield Family(f"{_PREFIX}_{name}", "counter", help_text, lines(counts), labels)
    family = Family(
        f"{OWN_PREFIX}_udp_drops_total",
        "counter",
        "Datagrams that were not passed on, and sessions of UDP that gave way, by reason",
    )
    yield by_label(family, "reason", counters.udp)


def _outcomes(counts: RelayCounts) -> list[str]:
    return [
        line(f"{_PREFIX}_connections_total", _labels(labels, outcome=outcome), count)
        for labels, totals in sorted(counts.items())
        for outcome, count in sorted(totals.outcomes.items())
    ]


def _bytes(counts: RelayCounts) -> list[str]:
    return [
        line(f"{_PREFIX}_bytes_total", _labels(labels, direction=direction), count)
        for labels, totals in sorted(counts.items())
        for direction, count in (("received", totals.received), ("sent", totals.sent))
    ]


def _seconds(counts: RelayCounts) -> list[str]:
    name = f"{_PREFIX}_duration_seconds_total"
    return [
        f"{name}{{{_labels(labels)}}} {number(totals.seconds)}\n"
        for labels, totals in sorted(counts.items())
    ]


def _labels(labels: RelayLabels, **more: str) -> str:
    return label_text(
        {
            "protocol": labels.protocol,
            "port": str(labels.port),
            "namespace": labels.namespace,
            "service": labels.service,
            "service_port": labels.service_port,
            **more,
        }
    )
