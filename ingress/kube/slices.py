"""
Long work of the reactor's thread, in slices of a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from twisted.internet.task import Cooperator

from ingress.memory import LARGE_WORK
from ingress.steps import Steps

SLICE_DURATION: Final = 0.002
"""In seconds: how long work holds the reactor at a time."""

LARGE_CYCLE: Final = round(LARGE_WORK / SLICE_DURATION)
"""
Slices from which on a cycle is large: what it parses would be enough for a long run
of the garbage collector (120 ms for a list of 10,000 Ingresses), and is settled.
"""

SLICES_PER_SETTLING: Final = 5

T = TypeVar("T")


class Stopped(Exception):
    """Work was given up between two of its slices."""


class Slices:
    """
    Runs work in steps, a slice at a time, one work after the other.

    :param reactor: for time; it serves between two slices.
    :param settle: called now and then while very much is done.
    """

    def __init__(self, reactor: Any, settle: Callable[[], None]) -> None:
        self._reactor = reactor
        self._settle = settle
        self._count = 0
        self._cooperator = Cooperator(
            terminationPredicateFactory=self._begin_slice,
            scheduler=lambda work: reactor.callLater(0, work),
        )
        self.is_running = True
        """Whether there is to be another slice."""

    def __repr__(self) -> str:
        return f"<Slices {self._count}, running={self.is_running}>"

    def begin_cycle(self) -> None:
        """What follows is apart from what was: it is large or small on its own."""
        self._count = 0

    def end_cycle(self) -> None:
        """Settle what came of a large cycle."""
        if self._count > LARGE_CYCLE:
            self._settle()

    async def run(self, work: Steps[T]) -> T:
        """
        :return: the result of the work.
        :raises Stopped: if it is given up.
        """
        results: list[T] = []

        def steps() -> Steps[None]:
            while self.is_running:
                try:
                    next(work)
                except StopIteration as end:
                    results.append(end.value)
                    return
                yield
            raise Stopped

        await self._cooperator.coiterate(steps())
        return results[0]

    def _begin_slice(self) -> Callable[[], bool]:
        """:return: what tells when the slice is over."""
        self._count += 1
        if self._count > LARGE_CYCLE and self._count % SLICES_PER_SETTLING == 0:
            self._settle()
        end = self._reactor.seconds() + SLICE_DURATION
        return lambda: bool(self._reactor.seconds() > end)
