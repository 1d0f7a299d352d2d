"""
The gate of external authentication: a decision that was kept for requests with the same head.
"""

from __future__ import annotations

from typing import Any

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.message import Request
from ingress.policy.decision import Verdict
from ingress.policy.gate import UNDECIDED, Gate
from ingress.policy.limiter import Limiter


class KeptDecision:
    """
    A decision for requests with the same head, which `HeadCache.decision` keeps: where its key
    depends on the fields alone, it need not be made again.

    :param gate: of the policy that has decided.
    :param route: stands for the rule, as in `PolicyContext.route`.
    :param authority: of the request.
    :param until: in seconds on the clock of the process.
    """

    def __init__(
        self, gate: AuthGate, route: object, authority: bytes, verdict: Verdict, until: float
    ) -> None:
        self.gate = gate
        self.route = route
        self.authority = authority
        self.verdict = verdict
        self.until = until

    def __repr__(self) -> str:
        return f"<KeptDecision until {self.until}>"


class AuthGate(Gate):
    """
    Decides as before on requests with a head that the policy has decided on.

    :param signs_in: whether a 401 becomes a redirect, which the policy makes.
    """

    def __init__(self, signs_in: bool) -> None:
        self._signs_in = signs_in

    def __repr__(self) -> str:
        return "<AuthGate>"

    def __reduce__(self) -> tuple[Any, ...]:
        return AuthGate, (self._signs_in,)

    def decide(
        self,
        request: Request,
        client: BelievedClient,
        route: object,
        limiter: Limiter,
        now: float,
    ) -> object:
        """Gate."""
        kept = request.cache.decision
        if (
            not isinstance(kept, KeptDecision)
            or kept.gate is not self
            or kept.route is not route
            or kept.until <= now
            or kept.authority != request.authority
        ):
            return UNDECIDED
        verdict = kept.verdict
        if self._signs_in and isinstance(verdict, Answer) and verdict.status == 401:
            return UNDECIDED
        return verdict
