"""
Closed paths: what decides access, or encrypts, and cannot be honoured is never ignored.

Source of the rules: docs/compatibility.md, section 5, "Access that cannot be honoured is refused".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.annotation import Closing, Extent, Subject
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision
from ingress.policy.inputs import NOTHING, Inputs
from ingress.policy.policy import Policy
from ingress.policy.scope import HostScope

_ANSWERS: Final = {
    Subject.ACCESS: Answer(
        503,
        Outcome.ACCESS_REFUSED,
        "The access rules of this path cannot be honoured, so that it is closed.",
    ),
    Subject.ENCRYPTION: Answer(
        503,
        Outcome.ACCESS_REFUSED,
        "The encryption that this path asks for cannot be honoured, so that it is closed.",
    ),
}

_SHOWN: Final = {
    Subject.ACCESS: "its annotations decide access, and cannot be honoured",
    Subject.ENCRYPTION: "its annotations ask for TLS towards endpoints that cannot be had",
}


@dataclass(frozen=True, slots=True)
class Refusal(Policy):
    """Answers every request with 503; `Annotations.close` asks for it."""

    name: ClassVar[str] = "refusal"

    subject: Subject = Subject.ACCESS
    extent: Extent = Extent.RULES

    @classmethod
    def of(cls, closing: Closing) -> Refusal:
        """:return: the policy that closes what `closing` says."""
        return cls(closing.subject, closing.extent)

    @property
    def guards(self) -> bool:
        """Feature."""
        return self.subject is Subject.ACCESS

    @property
    def is_host_wide(self) -> bool:
        """Feature."""
        return self.extent is not Extent.RULES

    def loss_on(self, scope: HostScope) -> str:
        """Feature: the namespace of a host's oldest object decides on client certificates."""
        return certificate_loss(scope) if self.extent is Extent.OWNED_HOSTS else ""

    def access(self, context: PolicyContext) -> Decision:
        """Policy: no request passes."""
        return _ANSWERS[self.subject]

    def decides_by(self, request: Request) -> Inputs:
        """Policy."""
        return NOTHING

    def explain(self) -> str:
        """Feature."""
        return f"Every request gets 503: {_SHOWN[self.subject]}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"refused": _SHOWN[self.subject]}


def certificate_loss(scope: HostScope) -> str:
    """:return: why a namespace does not decide on client certificates here; empty if it does."""
    if scope.owner[0] == scope.namespace:
        return ""
    return (
        f"Ingress {'/'.join(scope.owner)}, of another namespace, is the oldest one that has this "
        "host and decides on client certificates; there, only the paths of this Ingress answer 503"
    )
