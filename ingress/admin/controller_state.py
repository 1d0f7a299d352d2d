"""
The state of the controller itself: source, leader, workers, memory, versions.
"""

from __future__ import annotations

from typing import Any

from ingress.admin.snapshot_json import moment_text
from ingress.routing.build import Built
from ingress.routing.build.foreign_table import largest_classes
from ingress.telemetry.observed_proxy import ObservedProxy


def controller_state(proxy: ObservedProxy, built: Built) -> dict[str, Any]:
    """:return: plain values."""
    vitals = list(proxy.reports.vitals())
    leases = proxy.leases()
    return {
        "version": proxy.version,
        "generation": proxy.published.generation,
        "publishedAt": moment_text(proxy.published.published_at),
        "sourceAges": dict(proxy.api_ages()),
        "leader": any(leases.values()) if leases else None,
        "processes": len(vitals),
        "lostWorkers": proxy.lost_workers(),
        "memory": sum(each.memory for each in vitals),
        "foreign": dict(largest_classes(built.foreign_classes)),
        "mistakes": proxy.configured.has_mistakes,
    }
