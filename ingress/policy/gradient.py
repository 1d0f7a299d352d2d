"""
How many requests a Service may have in progress, learnt from the time that it takes to answer.

While requests do not wait for each other in a Service, its answers take as long as ever; when they
begin to, each one more makes all of them later. The ratio of the usual time to that of the last
moments is the gradient by which the bound shrinks; room for a small queue lets it grow again. It is
the algorithm of Netflix's concurrency-limits (Gradient2), in windows of samples.
"""

from __future__ import annotations

from math import sqrt
from typing import Final

LEAST: Final = 8.0
"""Requests that are let in however late answers are: nothing could be learnt without any."""

MOST: Final = 10_000.0
FIRST: Final = 64.0
"""The bound before anything is known."""

WINDOW: Final = 0.1
"""Seconds of a window, at least."""

SAMPLES: Final = 10
"""Answers of a window, at least."""

TOLERANCE: Final = 1.5
"""How much later than usual answers may be before the bound shrinks."""

_LONG: Final = 1 / 600
"""The weight of a window in the usual time."""

_RECOVERY: Final = 0.95
"""How fast the usual time follows answers that have become much faster."""

_SMOOTHING: Final = 0.2
"""The weight of a window in the bound."""


class Gradient:
    """
    The bound of one Service.

    :ivar bound: requests that may be in progress.
    :ivar in_progress: those that wait for their answer.
    """

    def __init__(self) -> None:
        self.bound = FIRST
        self.in_progress = 0
        self._usual = 0.0
        """The usual time of an answer in seconds; 0 before the first window."""

        self._began = 0.0
        self._sum = 0.0
        self._count = self._most = 0

    def __repr__(self) -> str:
        return f"<Gradient {self.in_progress} of {self.bound:.0f}>"

    def begin(self) -> bool:
        """:return: whether one more request may be in progress, which then is."""
        if self.in_progress >= self.bound:
            return False
        self.in_progress += 1
        self._most = max(self._most, self.in_progress)
        return True

    def answered(self, took: float, now: float) -> None:
        """
        A request in progress has its answer.

        :param took: seconds from its begin to the head of the response.
        """
        self.in_progress -= 1
        self._sum += took
        self._count += 1
        if self._count >= SAMPLES and now - self._began >= WINDOW:
            self._learn(self._sum / self._count)
            self._began = now
            self._sum, self._count, self._most = 0.0, 0, self.in_progress

    def ended(self) -> None:
        """A request in progress is over without an answer, which says nothing about its time."""
        self.in_progress -= 1

    def _learn(self, short: float) -> None:
        if self._usual == 0.0:
            self._usual = short
        self._usual += (short - self._usual) * _LONG
        if self._usual > 2 * short:
            self._usual *= _RECOVERY
        if self._most < self.bound / 2:
            # Fewer than half were asked for: their time says nothing about the bound.
            return
        gradient = min(1.0, max(0.5, TOLERANCE * self._usual / short)) if short > 0 else 1.0
        wanted = self.bound * gradient + sqrt(self.bound)
        bound = self.bound + (wanted - self.bound) * _SMOOTHING
        self.bound = min(MOST, max(LEAST, bound))
