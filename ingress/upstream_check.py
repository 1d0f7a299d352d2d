"""
The health check of a Service port, as the Snapshot has it.
"""

from __future__ import annotations

from ingress.endpoint import Upstream
from ingress.frozen import dataclass
from ingress.policy.backend_tls import BackendTLS, Use
from ingress.policy.health_check import HealthCheck


@dataclass(frozen=True, slots=True)
class UpstreamCheck:
    """How the endpoints of an Upstream are checked."""

    check: HealthCheck
    tls: BackendTLS | None = None
    """None in the clear."""

    def of(self, upstream: Upstream) -> UpstreamCheck:
        """:return: the same, with `tls` for every check; in the clear where clients decide."""
        use = Use.ALWAYS if self.tls is None else self.tls.use
        is_secure = use is Use.ALWAYS or (use is Use.FOR_SECURE_PORTS and upstream.speaks_tls)
        return self if is_secure else UpstreamCheck(self.check)
