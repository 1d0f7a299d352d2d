"""
Requests that have been read before, by their heads to the last byte.
"""

from __future__ import annotations

from typing import Final

from ingress.config import Limits
from ingress.http1.head import MAX_KEPT, MAX_KEPT_FIELDS
from ingress.message import Request

ROOM: Final = 4 * 1024 * 1024
"""
Bytes of one generation. Heads of clients without cookies share their fields with others and take
600: those of 6,000 hosts, or paths, have room in each generation.
"""

_ENTRY: Final = 500
"""Bytes of a request that is kept, without its head."""

_FIELD: Final = 200
"""Bytes of a field that is kept, without its name and value, with what is made of it."""


class KnownHead:
    """
    A head, and what it was read as.

    A connection remembers that of its last request, with which the next one is compared first. What
    is dropped is emptied, so that idle connections keep no head in memory.

    :ivar data: the bytes; empty if it was dropped.
    :ivar request: None if it was dropped.
    """

    __slots__ = ("data", "request")

    def __init__(self, data: bytes, request: Request) -> None:
        self.data = data
        self.request: Request | None = request

    def __repr__(self) -> str:
        return f"<KnownHead of {self.request}>"


class KnownRequests:
    """
    Requests without a body: most clients send some of their heads again and again.

    They are kept in two generations, as in `RecentValues`, but as many as their memory allows.

    :param room: bytes of each generation.
    :ivar limits: what they were checked by.
    """

    __slots__ = ("_generation", "_old", "_room", "_weight", "_young", "limits")

    def __init__(self, room: int = ROOM) -> None:
        self.limits: Limits | None = None
        self._room = room
        self._weight = 0
        """Bytes of the younger generation."""

        self._generation = object()
        """Stands for the younger generation, in the caches that have been weighed in it."""

        self._young: dict[bytes, KnownHead] = {}
        self._old: dict[bytes, KnownHead] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def __repr__(self) -> str:
        return f"<KnownRequests {len(self)}>"

    def find(self, data: bytes, limits: Limits) -> KnownHead | None:
        """
        :param data: what may be a whole head, and nothing behind it.
        :return: what it was read as, which must not be changed.
        """
        if len(data) > MAX_KEPT or limits is not self.limits:
            return None
        known = self._young.get(data)
        if known is None:
            known = self._old.get(data)
            if known is not None:
                del self._old[data]
                if known.request is not None:
                    self._put(known, known.request)
        return known

    def keep(self, data: bytes, limits: Limits, request: Request) -> None:
        """Know a request that was not, if its head may be kept."""
        if limits is not self.limits:
            self.clear()
            self.limits = limits
        if len(data) > MAX_KEPT or len(request.fields) > MAX_KEPT_FIELDS:
            return
        if self.find(data, limits) is not None:
            # It has come in pieces this time. What connections remember is dropped with what is
            # here, so it stays the same.
            return
        self._put(KnownHead(data, request), request)

    def _put(self, known: KnownHead, request: Request) -> None:
        if self._weight + self._weigh(known, request) > self._room:
            _empty(self._old)
            self._old = self._young
            self._begin()
        self._weight += self._weigh(known, request)
        request.cache.weighed_in = self._generation
        self._young[known.data] = known

    def _weigh(self, known: KnownHead, request: Request) -> int:
        size = len(known.data)
        if request.cache.weighed_in is self._generation:
            # Requests that differ in their target or host alone share the rest.
            return _ENTRY + size
        return _ENTRY + 2 * size + _FIELD * len(request.fields)

    def _begin(self) -> None:
        self._young = {}
        self._weight = 0
        self._generation = object()

    def clear(self) -> None:
        """Forget all."""
        _empty(self._old)
        _empty(self._young)
        self._old = {}
        self._begin()


def _empty(generation: dict[bytes, KnownHead]) -> None:
    for known in generation.values():
        known.request = None
        known.data = b""


KNOWN: Final = KnownRequests()
