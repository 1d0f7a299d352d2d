"""
A request in progress, as several bounds count it.
"""

from __future__ import annotations

from collections.abc import Callable


class Claim:
    """What is to be given back when a request is over, or is refused after all."""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        self._ends: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<Claim of {len(self._ends)}>"

    def add(self, end: Callable[[], None]) -> None:
        """
        Count one more thing.

        :param end: gives it back; called once.
        """
        self._ends.append(end)

    def release(self) -> None:
        """Give back all that is left."""
        ends = self._ends
        while ends:
            ends.pop()()
