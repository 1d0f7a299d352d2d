"""
The version of HTTP that endpoints are spoken to in: ``backend-protocol``, and ``http2`` of the
configuration for endpoints over TLS.

Where the annotation says nothing, the ``appProtocol`` of the Service port decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ingress.frozen import dataclass
from ingress.policy.annotation import Annotations
from ingress.policy.feature import Setting
from ingress.policy.scope import ReadContext


@dataclass(frozen=True, slots=True)
class BackendVersion(Setting):
    """Whether endpoints are asked in HTTP/2, whatever the Service says."""

    route_field: ClassVar[str] = "version"
    annotations: ClassVar[tuple[str, ...]] = ("backend-protocol",)

    is_http2: bool

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> BackendVersion | None:
        """Feature: None if the annotation says nothing."""
        protocol = annotations.text("backend-protocol").upper()
        if not protocol:
            return None
        if protocol == "HTTPS":
            # Whether the endpoint agrees is known after the handshake.
            return cls(context.config.http2)
        return cls(protocol in ("GRPC", "GRPCS"))

    def explain(self) -> str:
        """Feature."""
        return f"Endpoints are asked in HTTP/{2 if self.is_http2 else '1.1'}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"http2": self.is_http2} if self.is_http2 else {}
