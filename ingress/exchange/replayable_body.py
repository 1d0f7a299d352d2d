"""
The body of a request as far as another endpoint could still be sent all of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

REPLAY_SIZE: Final = 64 * 1024
"""Bytes that are kept of a body that has been sent on: a form or a document, not an upload."""


class ReplayableBody:
    """What has come of a body, while it is small enough to be kept."""

    __slots__ = ("_length", "_pieces", "is_replayable")

    def __init__(self) -> None:
        self._length = 0
        """Bytes that have come, kept or not."""

        self.is_replayable = True
        """Whether `replay` would give all that has come."""

        self._pieces: list[bytes] = []

    def __repr__(self) -> str:
        return f"<ReplayableBody {self._length} bytes, replayable={self.is_replayable}>"

    def add(self, data: bytes, *, is_forwarded: bool) -> None:
        """
        :param is_forwarded: whether an endpoint is sent `data` at once. What no
            endpoint has been sent is kept, whatever its size.
        """
        self._length += len(data)
        if is_forwarded and self._length > REPLAY_SIZE:
            self._forget()
        elif self.is_replayable:
            self._pieces.append(data)

    def replay(self) -> Iterable[bytes]:
        """All that has come, for an endpoint to be sent."""
        pieces = tuple(self._pieces)
        if self._length > REPLAY_SIZE:
            self._forget()
        return pieces

    def _forget(self) -> None:
        self._pieces.clear()
        self.is_replayable = False
