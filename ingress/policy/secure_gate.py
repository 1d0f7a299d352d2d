"""
The gate of policies that requests over TLS do not meet.
"""

from __future__ import annotations

from typing import Any

from ingress.believed_client import BelievedClient
from ingress.message import Request
from ingress.policy.gate import UNDECIDED, Gate
from ingress.policy.limiter import Limiter


class SecureGate(Gate):
    """Lets requests over TLS pass."""

    def __repr__(self) -> str:
        return "<SecureGate>"

    def __reduce__(self) -> tuple[Any, ...]:
        return SecureGate, ()

    def decide(
        self,
        request: Request,
        client: BelievedClient,
        route: object,
        limiter: Limiter,
        now: float,
    ) -> object:
        """Gate."""
        return None if client.is_secure else UNDECIDED
