"""
The body of a request, kept while it is small enough to be sent to another endpoint.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

REPLAY_SIZE: Final = 64 * 1024
"""Bytes of a forwarded body that are kept: enough for a form or a document, not for an upload."""


class ReplayableBody:
    """The pieces of a body so far; they are dropped when they become too many."""

    __slots__ = ("_length", "_pieces", "is_replayable")

    def __init__(self) -> None:
        self._length = 0
        """Bytes of the body so far, kept or not."""

        self.is_replayable = True
        """Whether `replay` gives the whole body so far."""

        self._pieces: list[bytes] = []

    def __repr__(self) -> str:
        return f"<ReplayableBody {self._length} bytes, replayable={self.is_replayable}>"

    def add(self, data: bytes, *, is_forwarded: bool) -> None:
        """
        :param data: the next piece; never empty.
        :param is_forwarded: whether `data` goes to an endpoint at once. Pieces that no endpoint
            has got yet are kept, whatever their size.
        """
        self._length += len(data)
        if is_forwarded and self._length > REPLAY_SIZE:
            self._forget()
        elif self.is_replayable:
            self._pieces.append(data)

    def replay(self) -> Iterable[bytes]:
        """Return the pieces so far, to be sent to an endpoint."""
        pieces = tuple(self._pieces)
        if self._length > REPLAY_SIZE:
            self._forget()
        return pieces

    def _forget(self) -> None:
        self._pieces.clear()
        self.is_replayable = False
