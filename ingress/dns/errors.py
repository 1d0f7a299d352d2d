"""
Why a name has no address.
"""

from __future__ import annotations

from ingress.errors import IngressError


class NoAddress(IngressError):
    """
    The name servers say that there is none.

    :param ttl: seconds for which that holds.
    """

    def __init__(self, message: str, ttl: float) -> None:
        super().__init__(message)
        self.ttl = ttl


class LookupFailed(IngressError):
    """Nobody says whether there is one."""
