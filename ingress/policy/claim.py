"""
A request in progress, as several bounds count it.
"""

from __future__ import annotations

from collections.abc import Callable

from ingress.policy.bucket_table import Rate
from ingress.policy.limiter import SharedBound


class Claim:
    """
    What is to be given back when a request is over, or is refused after all.

    :ivar rates: the limits within which this replica has admitted the request, and which all
        replicas count together.
    :ivar bounds: the same of requests in progress.
    """

    __slots__ = ("_ends", "bounds", "rates")

    def __init__(self) -> None:
        self.rates: tuple[Rate, ...] = ()
        self.bounds: list[SharedBound] = []
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
