"""
Long work of an answer in slices of time, between which the reactor serves traffic.
"""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from ingress.admin.streaming import SLICE
from ingress.steps import Steps

T = TypeVar("T")


async def in_slices(clock: IReactorTime, steps: Steps[T]) -> T:
    """
    :param clock: schedules the slices.
    :param steps: the work; a step takes less than a millisecond.
    :return: its result.
    """
    end = clock.seconds() + SLICE
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
        if clock.seconds() >= end:
            await deferLater(clock, 0)
            end = clock.seconds() + SLICE
