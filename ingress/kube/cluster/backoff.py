"""
How long to wait before something that has failed is tried again.
"""

from __future__ import annotations

from random import Random
from typing import Final

FIRST_DELAY: Final = 0.5
MAX_DELAY: Final = 10.0
"""
Seconds. A server that comes back is found within this time, and a hundred proxies
that ask a dead one every ten seconds do it no harm.
"""

MAX_RETRY_AFTER: Final = 60.0
"""Seconds of what the server asks for that are granted."""


class Backoff:
    """
    Twice as long after each failure, up to `longest`; half of it is random, so that
    those who failed together do not come back together.
    """

    def __init__(self, random: Random, first: float = FIRST_DELAY, longest: float = MAX_DELAY):
        self._random = random
        self._first = first
        self._longest = longest
        self.failures = 0
        """In a row."""

    def __repr__(self) -> str:
        return f"<Backoff: {self.failures} failures>"

    def next_delay(self, retry_after: float | None = None) -> float:
        """
        Seconds to wait after one more failure.

        :param retry_after: what the server asks for, which is the least.
        """
        # The bound keeps the power within what a float can be.
        delay = min(self._longest, self._first * 2.0 ** min(self.failures, 32))
        self.failures += 1
        delay *= 0.5 + 0.5 * self._random.random()
        return max(delay, min(retry_after or 0.0, MAX_RETRY_AFTER))

    def reset(self) -> None:
        """It went well."""
        self.failures = 0
