"""
The health check of a Service port, as the Snapshot has it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingress.policy.backend_tls import BackendTLS
from ingress.policy.health_check import HealthCheck


@dataclass(frozen=True, slots=True)
class UpstreamCheck:
    """How the endpoints of an Upstream are checked."""

    check: HealthCheck
    tls: BackendTLS | None = None
    """None in the clear."""
