"""
The state of the controller itself: source, leader, workers, memory, versions.
"""

from __future__ import annotations

from importlib import metadata
from platform import python_version
from typing import Any, Final

from cryptography.hazmat.backends.openssl.backend import backend

from ingress.admin.snapshot_json import moment_text
from ingress.routing.build import Built
from ingress.routing.build.foreign_table import largest_classes
from ingress.telemetry.observed_proxy import ObservedProxy

VERSIONS: Final = {
    "Python": python_version(),
    "Twisted": metadata.version("Twisted"),
    "OpenSSL": backend.openssl_version_text().split()[1],
}
"""The versions of what serves."""


def controller_state(proxy: ObservedProxy, built: Built) -> dict[str, Any]:
    """:return: plain values."""
    vitals = list(proxy.reports.vitals())
    leases = proxy.leases()
    return {
        "version": proxy.version,
        "versions": VERSIONS,
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
