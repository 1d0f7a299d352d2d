"""
The time of a turn of the reactor: read once, for all events that were reported together.

Whoever asks a clock pays for a call and for a float; an exchange would ask nine times. The time of
a turn is late by what the turn has taken so far, which is a millisecond when many events come at
once. Times that are compared with one another all have to be of this kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class TurnTime:
    """The time of the turn under way."""

    @property
    def now(self) -> float:
        """Seconds on the clock of the reactor."""
        raise NotImplementedError


class ClockTime(TurnTime):
    """
    The time of a clock without turns, which is asked each time: that of another reactor, or of
    tests.

    :param seconds: `IReactorTime.seconds`.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds

    @property
    def now(self) -> float:
        """TurnTime."""
        return self._seconds()


def turn_time(clock: Any) -> TurnTime:
    """
    :param clock: an `IReactorTime`.
    :return: the time of its turns, if it has a `DescriptorTable`; else its own.
    """
    table = getattr(clock, "descriptor_table", None)
    return table if isinstance(table, TurnTime) else ClockTime(clock.seconds)
