"""
Shares of the requests of one rule that has several backends.

No annotation asks for it: rules with weights come from objects that have them (HTTPRoute).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from ingress.endpoint import UpstreamKey
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed
from ingress.policy.inputs import Input, Inputs
from ingress.policy.policy import Policy


class Share(NamedTuple):
    """A Service port and its weight among the others of a rule."""

    upstream: UpstreamKey
    weight: int
    """At least 1."""


@dataclass(frozen=True, slots=True)
class TrafficSplit(Policy):
    """Chooses one of several Upstreams for each request, at random by their weights."""

    name: ClassVar[str] = "traffic-split"

    shares: tuple[Share, ...]
    """At least one."""

    def request(self, context: PolicyContext) -> Decision:
        """Policy."""
        left = context.random.random() * sum(share.weight for share in self.shares)
        for share in self.shares:
            left -= share.weight
            if left < 0:
                break
        return Proceed(upstream=share.upstream)

    def decides_by(self, request: Request) -> Inputs:
        """Policy."""
        return frozenset({Input.STATE})

    def explain(self) -> str:
        """Feature."""
        total = sum(share.weight for share in self.shares)
        parts = (f"{share.weight}/{total} to {share.upstream}" for share in self.shares)
        return f"Requests are shared at random: {', '.join(parts)}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"weights": {str(share.upstream): share.weight for share in self.shares}}
