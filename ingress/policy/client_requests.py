"""
A bound of the requests that one client has in progress, at all rules together:
``limits.requests-per-client`` of the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.message import Request
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision
from ingress.policy.inputs import Input, Inputs
from ingress.policy.limiter import LimitLabels, client_of
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext

_REFUSED: Final = Answer(
    503,
    Outcome.LIMITED,
    "This client has as many requests in progress as one client may have.",
    fields=((b"Retry-After", b"1"),),
)
_LABEL: Final = "client-requests"


@dataclass(frozen=True, slots=True)
class ClientRequests(Policy):
    """
    Refuses what a client sends while it has enough in progress, over all workers of a replica.

    A UNIX socket stands for clients that nobody knows, and has no bound.
    """

    name: ClassVar[str] = "client-requests"

    most: int

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> ClientRequests | None:
        """Feature: the configuration asks for it, for all rules."""
        most = context.config.limits.requests_per_client
        return None if most is None else cls(most)

    def access(self, context: PolicyContext) -> Decision:
        """Policy."""
        address = context.client.address
        if not address:
            return None
        client, flights = hash((_LABEL, client_of(address))), context.limiter.in_flight
        if not flights.begin(client, self.most):
            rule = context.rule
            context.limiter.count(LimitLabels(rule.namespace, rule.ingress, _LABEL))
            return _REFUSED
        context.ends.append(partial(flights.end, client))
        return None

    def decides_by(self, request: Request) -> Inputs:
        """Policy: how many requests a client has made is state."""
        return frozenset({Input.STATE})

    def explain(self) -> str:
        """Feature."""
        return f"A client may have {self.most} requests in progress at all rules together."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"clientRequests": self.most}
