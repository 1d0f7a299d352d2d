"""
Our identity towards the API server, and its source.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ingress.kube.api.errors import APIUnreachable


class NoCredentials(APIUnreachable):
    """Credentials are missing, or cannot be read any more."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate with its chain, and its key."""

    chain_pem: bytes = field(repr=False)
    key_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """Our credentials of one moment; empty for an anonymous client."""

    authorization: bytes = field(default=b"", repr=False)
    """The value of the Authorization field; empty for no field."""

    certificate: ClientCertificate | None = None


class Credentials(Protocol):
    """A source of an `Identity`, which may change."""

    async def identity(self) -> Identity:
        """
        Get the current identity.

        :raises NoCredentials: if there is none; the message says why.
        """

    def reject(self, identity: Identity) -> None:
        """The server has refused this identity: check the source before it is given again."""


class FixedCredentials:
    """An identity that never changes."""

    def __init__(self, identity: Identity = Identity()) -> None:
        self._identity = identity

    async def identity(self) -> Identity:
        """The fixed identity."""
        return self._identity

    def reject(self, identity: Identity) -> None:
        """Nothing to do: there is no other identity."""
