"""
Errors of resolving a name.
"""

from __future__ import annotations

from ingress.errors import IngressError


class NoAddress(IngressError):
    """
    The name servers say that the name has no address.

    :param ttl: seconds for which that answer is valid.
    """

    def __init__(self, message: str, ttl: float) -> None:
        super().__init__(message)
        self.ttl = ttl


class LookupFailed(IngressError):
    """No name server has answered."""
