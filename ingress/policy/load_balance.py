"""
How the endpoints of an Upstream share requests: ``load-balance`` and ``upstream-hash-by``.

Source of the rules: COMPATIBILITY section 2.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ingress.message import Request

if TYPE_CHECKING:
    # Routes hold policies, so that the import at run time goes the other way.
    from ingress.routing.snapshot import Endpoint


class Algorithm(StrEnum):
    """Which endpoint serves a request that no session binds to one."""

    ROUND_ROBIN = "round_robin"
    """One after the other."""

    LEAST_REQUEST = "least_request"
    """Of two taken at random, the one with fewer requests in flight. Our own addition."""

    EWMA = "ewma"
    """Of two taken at random, the one that answered faster of late (peak EWMA)."""


@dataclass(frozen=True, slots=True)
class HashKey:
    """What of a request is hashed: ``upstream-hash-by``, taken apart."""

    written: str

    def of(self, request: Request, client_address: bytes) -> bytes:
        """
        :param client_address: of the client that is believed, as X-Real-IP has it.
        :return: empty where the request has nothing of what the key is made of.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class LoadBalance:
    """How one Ingress wants its requests shared."""

    algorithm: Algorithm = Algorithm.ROUND_ROBIN

    hash_key: HashKey | None = None
    """Goes before `algorithm`, which serves among the endpoints of a subset."""

    subset_size: int = 1
    """Endpoints that serve the same key; more than one for ``upstream-hash-by-subset``."""

    def among(
        self, endpoints: Sequence[Endpoint], request: Request, client_address: bytes
    ) -> Sequence[Endpoint]:
        """
        :param endpoints: those that may serve: neither tried already nor ejected.
        :return: those of them that the request's hash prefers, for `algorithm` to
            take one of; `endpoints` themselves where nothing is hashed.
        """
        if self.hash_key is None:
            return endpoints
        raise NotImplementedError
