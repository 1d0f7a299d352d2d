"""
The delay before a failed request is tried again.
"""

from __future__ import annotations

from random import Random
from typing import Final

from ingress.growing_delay import growing_delay

FIRST_DELAY: Final = 0.5
MAX_DELAY: Final = 10.0
"""
Seconds. A server that comes back is noticed within this time, and a hundred proxies that ask
every ten seconds do a struggling server no harm.
"""

MAX_RETRY_AFTER: Final = 60.0
"""Seconds that are waited at most because the server asks for it."""


class Backoff:
    """
    A delay that doubles with each failure, up to `longest`. Half of it is random, so that
    clients that failed together do not come back together.
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

        :param retry_after: the least that the server asks for.
        """
        self.failures += 1
        delay = growing_delay(self._first, self._longest, self.failures)
        delay *= 0.5 + 0.5 * self._random.random()
        return max(delay, min(retry_after or 0.0, MAX_RETRY_AFTER))

    def reset(self) -> None:
        """A request has succeeded."""
        self.failures = 0
