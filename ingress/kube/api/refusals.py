"""
Refusals (403) in a row, and whether they show that a right is missing.
"""

from __future__ import annotations

from typing import Final

from ingress.kube.api.errors import APIError

PASSING_REFUSAL: Final = 5.0
"""
Seconds for which refusals may pass by themselves: an API server that starts refuses everything
until it has loaded its rules. Only refusals that last longer show that a right is missing.
"""


def is_refusal(error: Exception | None) -> bool:
    """Whether the server has refused a request for want of a right."""
    return isinstance(error, APIError) and error.code == 403


class Refusals:
    """A row of refusals, which any other answer ends."""

    def __init__(self) -> None:
        self._first: float | None = None
        self.last = float("-inf")
        """When the last one came."""

    def __repr__(self) -> str:
        return f"<Refusals, {'lasting' if self.are_lasting else 'none, or passing'}>"

    def add(self, now: float) -> None:
        """:param now: in seconds, by a clock that does not go back."""
        if self._first is None:
            self._first = now
        self.last = now

    def end(self) -> None:
        """The server has answered in another way, or not at all."""
        self._first = None

    @property
    def are_lasting(self) -> bool:
        """Whether they have lasted for so long that a right must be missing."""
        return self._first is not None and self.last - self._first >= PASSING_REFUSAL
