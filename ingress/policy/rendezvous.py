"""
Rendezvous hashing: every process agrees, without shared state, on the endpoints that a key prefers.

Each endpoint has a score for each key, and the highest wins. Adding or removing an
endpoint moves only the keys that it gains or had. When an endpoint fails, its keys
spread over all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import md5
from heapq import nlargest
from typing import Final

from ingress.endpoint import Endpoint

_MASK: Final = 0xFFFF_FFFF_FFFF_FFFF
_MULTIPLIERS: Final = (0xFF51_AFD7_ED55_8CCD, 0xC4CE_B9FE_1A85_EC53)
"""The constants of MurmurHash3's 64-bit finalizer, which spreads every bit over all."""


def preferred(key: bytes, endpoints: Sequence[Endpoint]) -> Endpoint:
    """
    :param endpoints: at least one, in any order.
    :return: the endpoint that the key prefers.
    """
    return max(endpoints, key=_score(key))


def most_preferred(key: bytes, endpoints: Sequence[Endpoint], count: int) -> list[Endpoint]:
    """
    :return: the `count` endpoints that the key prefers, or all if there are fewer,
        the best first.
    """
    return nlargest(count, endpoints, key=_score(key))


def _score(key: bytes) -> Callable[[Endpoint], int]:
    key_hash = int.from_bytes(md5(key, usedforsecurity=False).digest()[:8], "big")
    return lambda endpoint: _mix(key_hash ^ _endpoint_hash(endpoint))


def _mix(number: int) -> int:
    for multiplier in _MULTIPLIERS:
        number ^= number >> 33
        number = number * multiplier & _MASK
    return number ^ number >> 33


@lru_cache(maxsize=65536)
def _endpoint_hash(endpoint: Endpoint) -> int:
    digest = md5(str(endpoint).encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big")
