"""
Protocols that no endpoint is spoken to in: ``backend-protocol: FCGI``.

Source of the rules: docs/compatibility.md, section 2.6. HTTP towards a FastCGI program would never
be answered, so that each request would wait for its timeout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision
from ingress.policy.inputs import NOTHING, Inputs
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext

_UNSPOKEN: Final = Answer(
    502, Outcome.DIAL_FAILED, "FastCGI, which the endpoints of this path speak, is not spoken here."
)


@dataclass(frozen=True, slots=True)
class BackendProtocol(Policy):
    """Answers every request with 502 that a FastCGI program would get."""

    name: ClassVar[str] = "backend-protocol"
    annotations: ClassVar[tuple[str, ...]] = ("backend-protocol",)

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> BackendProtocol | None:
        """Feature: what is wrong is told by the feature that reads the other protocols."""
        return cls() if annotations.text("backend-protocol").upper() == "FCGI" else None

    def request(self, context: PolicyContext) -> Decision:
        """Policy: requests that the rules of access let pass cannot be sent."""
        return _UNSPOKEN

    def decides_by(self, request: Request) -> Inputs:
        """Policy."""
        return NOTHING

    def explain(self) -> str:
        """Feature."""
        return "Every request gets 502: FastCGI is not spoken to endpoints."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"backendProtocol": "FCGI"}
