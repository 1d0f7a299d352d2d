"""
Long work of answers in slices of time, between which the reactor serves traffic.

The slices of all answers share one queue, from which each turn of the reactor takes one: however
many clients ask for large pages, a probe, or a request that is proxied, waits for one slice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater

from ingress.admin.streaming import SLICE
from ingress.planned_call import PlannedCall
from ingress.steps import Steps

T = TypeVar("T")


class Turns:
    """
    The clock of the admin listener: of the calls that are due at once, one is made in each turn
    of the reactor, in their order.

    :param reactor: for time.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._waiting: deque[PlannedCall] = deque()
        self._is_planned = False

    def __repr__(self) -> str:
        return f"<Turns: {len(self._waiting)} wait>"

    @property
    def is_busy(self) -> bool:
        """Whether any call waits."""
        return bool(self._waiting)

    def seconds(self) -> float:
        """IReactorTime."""
        return float(self._reactor.seconds())

    def callLater(
        self, delay: float, function: Callable[..., object], *arguments: object
    ) -> IDelayedCall | PlannedCall:
        """IReactorTime."""
        if delay > 0:
            later: IDelayedCall = self._reactor.callLater(delay, function, *arguments)
            return later
        turn = PlannedCall(function, arguments)
        self._waiting.append(turn)
        self._plan()
        return turn

    async def wait(self) -> None:
        """Wait until those have had their turn that wait now."""
        if self._waiting:
            clock: Any = self
            await deferLater(clock, 0)

    def _plan(self) -> None:
        if self._waiting and not self._is_planned:
            self._is_planned = True
            self._reactor.callLater(0, self._next)

    def _next(self) -> None:
        self._is_planned = False
        while self._waiting:
            turn = self._waiting.popleft()
            if turn.active():
                break
        else:
            return
        # Before the call, which may fail, and may wait for another turn itself.
        self._plan()
        turn.call()


async def in_slices(turns: Turns, steps: Steps[T]) -> T:
    """
    :param turns: has the turns of the slices; the first one is now if no other call waits.
    :param steps: the work; a step takes less than a millisecond.
    :return: its result.
    """
    clock: Any = turns
    await turns.wait()
    end = turns.seconds() + SLICE
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
        if turns.seconds() >= end:
            await deferLater(clock, 0)
            end = turns.seconds() + SLICE
