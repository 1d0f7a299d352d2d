"""
A bound of the requests that one client has in progress, at all rules together:
``limits.requests-per-client`` of the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import ClassVar, Final

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision
from ingress.policy.gate import Gate
from ingress.policy.inputs import Input, Inputs
from ingress.policy.limiter import LimitLabels
from ingress.policy.policy import GatedPolicy
from ingress.policy.progress_gate import LABEL, ProgressGate
from ingress.policy.scope import ReadContext

REFUSED: Final = Answer(
    503,
    Outcome.LIMITED,
    "This client has as many requests in progress as one client may have.",
    fields=((b"Retry-After", b"1"),),
)


@dataclass(frozen=True, slots=True)
class ClientRequests(GatedPolicy):
    """
    Refuses what a client sends while it has enough in progress, over all workers of a replica.

    A UNIX socket stands for clients that nobody knows, and has no bound.
    """

    name: ClassVar[str] = "client-requests"

    most: int

    gate: Gate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gate", ProgressGate(self.most))

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> ClientRequests | None:
        """
        Feature: the configuration asks for it, for all rules. With a store `ClientLimits` has this
        bound as well, so that both cost one round trip.
        """
        limits = context.config.limits
        most = limits.requests_per_client
        return None if most is None or limits.store is not None else cls(most)

    def judge(self, context: PolicyContext) -> Decision:
        """GatedPolicy: the client has enough in progress."""
        rule = context.rule
        context.limiter.count(LimitLabels(rule.namespace, rule.ingress, LABEL))
        return REFUSED

    def decides_by(self, request: Request) -> Inputs:
        """Policy: how many requests a client has made is state."""
        return frozenset({Input.STATE})

    def explain(self) -> str:
        """Feature."""
        return f"A client may have {self.most} requests in progress at all rules together."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"clientRequests": self.most}
