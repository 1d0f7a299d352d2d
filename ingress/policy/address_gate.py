"""
The gate of source ranges.
"""

from __future__ import annotations

from typing import Any, Final

from ingress.address_ranges import AddressRanges
from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.errors import Outcome
from ingress.message import Request
from ingress.policy.gate import Gate
from ingress.policy.limiter import Limiter

NOT_ALLOWED: Final = Answer(
    403, Outcome.ACCESS_REFUSED, "The address of the client may not use this path."
)


class AddressGate(Gate):
    """
    Refuses clients by their address: those that are denied, then those that are not allowed.

    :param allowed: None where every address that is not denied may come.
    :param denied: None where no address is denied.
    """

    def __init__(self, allowed: AddressRanges | None, denied: AddressRanges | None) -> None:
        self._allowed = allowed
        self._denied = denied
        self._token = object()
        """Stands for it, so that it is recognised without being kept in memory."""

    def __repr__(self) -> str:
        return f"<AddressGate allows {self._allowed is not None} denies {self._denied is not None}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return AddressGate, (self._allowed, self._denied)

    def decide(
        self,
        request: Request,
        client: BelievedClient,
        route: object,
        limiter: Limiter,
        now: float,
    ) -> object:
        """Gate."""
        if client.admitted is self._token:
            return None
        address = client.address
        if self._denied is not None and self._denied.has(address):
            return NOT_ALLOWED
        if self._allowed is not None and not self._allowed.has(address):
            return NOT_ALLOWED
        client.admitted = self._token
        return None
