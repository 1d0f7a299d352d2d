"""
A token bucket: a burst at once, then a steady rate.
"""

from __future__ import annotations


class TokenBucket:
    """
    Grants a burst of tokens at once, then tokens at a steady rate.

    :param rate: tokens a second.
    :param burst: tokens that it holds at most, and at the beginning.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._filled_at: float | None = None

    def __repr__(self) -> str:
        return f"<TokenBucket {self._tokens:.1f} of {self._burst}>"

    def is_full(self, now: float) -> bool:
        """Whether it has all its tokens."""
        self._fill(now)
        return self._tokens >= self._burst

    def take(self, now: float) -> float:
        """
        Take a token.

        :param now: in seconds, by a clock that does not go back.
        :return: 0 if a token was taken; else the seconds until there will be one.
        """
        self._fill(now)
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate

    def put_back(self) -> None:
        """Give back a token that was not used."""
        self._tokens = min(float(self._burst), self._tokens + 1)

    def _fill(self, now: float) -> None:
        if self._filled_at is not None:
            gained = max(0.0, now - self._filled_at) * self._rate
            self._tokens = min(float(self._burst), self._tokens + gained)
        self._filled_at = now
