"""
Who we are to the API server, and where that comes from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ingress.kube.api.errors import APIUnreachable


class NoCredentials(APIUnreachable):
    """There is nothing to prove to the server who we are, or not any more."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate with its chain, and its key."""

    chain_pem: bytes = field(repr=False)
    key_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """What proves who we are; neither for nobody in particular."""

    authorization: bytes = field(default=b"", repr=False)
    """The value of the field of that name; empty for none."""

    certificate: ClientCertificate | None = None


class Credentials(Protocol):
    """Where an `Identity` comes from. It may be another one each time."""

    async def identity(self) -> Identity:
        """
        Who we are now.

        :raises NoCredentials: if that cannot be had; the message says why.
        """

    def reject(self, identity: Identity) -> None:
        """The server knows nobody by that one: do not give it again without another look."""


class FixedCredentials:
    """They never change."""

    def __init__(self, identity: Identity = Identity()) -> None:
        self._identity = identity

    async def identity(self) -> Identity:
        """The one and only."""
        return self._identity

    def reject(self, identity: Identity) -> None:
        """There is no other."""
