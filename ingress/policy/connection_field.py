"""
The Connection field that endpoints get: ``connection-proxy-header``.

Source of the rules: docs/compatibility.md, section 2.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ingress.frozen import dataclass
from ingress.policy.annotation import Annotations
from ingress.policy.feature import Setting
from ingress.policy.scope import ReadContext

_ACCEPTED = ("", "close", "keep-alive")


@dataclass(frozen=True, slots=True)
class ConnectionField(Setting):
    """Sends Connection with every request in HTTP/1.1 but those that become WebSockets."""

    route_field: ClassVar[str] = "connection"
    annotations: ClassVar[tuple[str, ...]] = ("connection-proxy-header",)
    differences: ClassVar[Mapping[str, str]] = {
        "connection-proxy-header": "`close` or `keep-alive`; WebSockets keep the field that they "
        "need",
    }

    value: bytes

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> ConnectionField | None:
        """Feature."""
        value = annotations.choice("connection-proxy-header", _ACCEPTED)
        return cls(value.encode()) if value else None

    def explain(self) -> str:
        """Feature."""
        if self.value == b"close":
            return "Endpoints get Connection: close: each request has a connection of its own."
        return "Endpoints get Connection: keep-alive."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"connection": self.value.decode()}
