"""
The address of a Service in place of its endpoints: ``service-upstream``.

The cluster then chooses the pod of each connection, so nothing that chooses endpoints here has any
effect.

Source of the rules: docs/compatibility.md, section 2.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from ingress.frozen import dataclass
from ingress.policy.annotation import Annotations
from ingress.policy.feature import RouteFeature
from ingress.policy.scope import ReadContext

_USELESS: Final = ("affinity", "load-balance", "upstream-hash-by")


@dataclass(frozen=True, slots=True)
class ServiceUpstream(RouteFeature):
    """Sends the requests of one Ingress to the addresses of its Services."""

    annotations: ClassVar[tuple[str, ...]] = ("service-upstream",)
    differences: ClassVar[Mapping[str, str]] = {
        "service-upstream": "a Service without ClusterIP is reported, and served by its endpoints",
    }

    @classmethod
    def key(cls) -> str:
        """Feature."""
        return "service-upstream"

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> ServiceUpstream | None:
        """Feature: what would choose among endpoints is a fault."""
        if not annotations.boolean("service-upstream", context.config.service_upstream):
            return None
        for name in _USELESS:
            if annotations.text(name):
                annotations.fault(
                    name,
                    "has no effect with service-upstream: the address of the Service is the only "
                    "endpoint, and the cluster chooses the pod",
                )
        return cls()

    def explain(self) -> str:
        """Feature."""
        return "Requests go to the address of the Service, and the cluster chooses the pod."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"serviceUpstream": True}
