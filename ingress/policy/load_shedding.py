"""
Load is shed before queues build up: ``limits.concurrency: auto`` of the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Final

from ingress.answer import Answer
from ingress.endpoint import UpstreamKey
from ingress.errors import Outcome
from ingress.frozen import dataclass
from ingress.message import Request, Response
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision
from ingress.policy.gradient import Gradient
from ingress.policy.inputs import Input, Inputs
from ingress.policy.limiter import LimitLabels
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext, RuleScope

_SHED: Final = Answer(
    503,
    Outcome.OVERLOADED,
    "The Service of this path has as many requests in progress as it answers in time.",
    fields=((b"Retry-After", b"1"),),
)
_LABEL: Final = "concurrency"


class _Ticket:
    """
    A request in progress, from the choice of an endpoint to the head of the response.

    It is one of `PolicyContext.ends`, for requests that end before.
    """

    __slots__ = ("_began", "_gradient", "_is_over")

    def __init__(self, gradient: Gradient, began: float) -> None:
        self._gradient = gradient
        self._began = began
        self._is_over = False

    def __repr__(self) -> str:
        return f"<_Ticket of {self._gradient}>"

    def answered(self, now: float) -> None:
        """The head of the response has come."""
        if not self._is_over:
            self._is_over = True
            self._gradient.answered(now - self._began, now)

    def __call__(self) -> None:
        """The exchange is over."""
        if not self._is_over:
            self._is_over = True
            self._gradient.ended()


@dataclass(frozen=True, slots=True)
class LoadShedding(Policy):
    """
    Refuses requests for a Service that answers later the more it gets.

    Every worker learns for itself. Responses that take long after their head, such as downloads
    and WebSockets, do not count.
    """

    name: ClassVar[str] = "load-shedding"

    upstream: UpstreamKey | None = None

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> LoadShedding | None:
        """Feature: the configuration asks for it, for all rules."""
        return cls() if context.config.limits.concurrency == "auto" else None

    def at(self, rule: RuleScope) -> LoadShedding | None:
        """Feature: a rule without a Service has no part in it."""
        return None if rule.upstream is None else replace(self, upstream=rule.upstream)

    def request(self, context: PolicyContext) -> Decision:
        """Policy."""
        gradient = context.process_state(f"{self.name}/{self.upstream}", Gradient)
        if not gradient.begin():
            rule = context.rule
            context.limiter.count(LimitLabels(rule.namespace, rule.ingress, _LABEL))
            return _SHED
        context.ends.append(_Ticket(gradient, context.now()))
        return None

    def response(self, context: PolicyContext, response: Response) -> Decision:
        """Policy."""
        for end in context.ends:
            if isinstance(end, _Ticket):
                end.answered(context.now())
        return None

    def decides_by(self, request: Request) -> Inputs:
        """Policy."""
        return frozenset({Input.STATE})

    def explain(self) -> str:
        """Feature."""
        return "Requests get 503 while the Service answers later the more it gets."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"loadShedding": "auto"}
