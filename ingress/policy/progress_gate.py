"""
The gate of `ingress.policy.client_requests`: requests in progress, at all rules together.
"""

from __future__ import annotations

from typing import Any, Final

from ingress.believed_client import BelievedClient
from ingress.message import Request
from ingress.policy.gate import COUNTED, UNDECIDED, Gate
from ingress.policy.in_flight import Flight
from ingress.policy.limiter import Limiter, client_of

LABEL: Final = "client-requests"


class ProgressGate(Gate):
    """
    Counts the requests that a client has in progress. The policy refuses what is beyond the bound.

    :param most: how many a client may have.
    """

    def __init__(self, most: int) -> None:
        self._most = most

    def __repr__(self) -> str:
        return f"<ProgressGate of {self._most}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return ProgressGate, (self._most,)

    def decide(
        self,
        request: Request,
        client: BelievedClient,
        route: object,
        limiter: Limiter,
        now: float,
    ) -> object:
        """Gate."""
        address = client.address
        if not address:
            return None
        begun = limiter.in_flight.begin(_flight(address, limiter), self._most)
        return COUNTED if begun else UNDECIDED

    def ended(self, client: BelievedClient, limiter: Limiter) -> None:
        """Gate."""
        limiter.in_flight.end(_flight(client.address, limiter))


def _flight(address: bytes, limiter: Limiter) -> Flight:
    """:return: the requests in progress of a client."""
    return limiter.in_flight.flight_of(hash((LABEL, client_of(address))))
