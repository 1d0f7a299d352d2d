"""
Runs long work in the reactor's thread, in slices of a few milliseconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred

from ingress.memory import LARGE_WORK
from ingress.steps import Steps

SLICE_DURATION: Final = 0.002
"""In seconds: how long work holds the reactor at a time."""

LARGE_CYCLE: Final = round(LARGE_WORK / SLICE_DURATION)
"""
The number of slices from which a cycle is large: its objects would cause a long run of the
garbage collector (120 ms for a list of 10,000 Ingresses), and are settled.
"""

SLICES_PER_SETTLING: Final = 5

T = TypeVar("T")


class Stopped(Exception):
    """Work was abandoned between two of its slices."""


class Slices:
    """
    Runs work in steps, a slice at a time, and several works in turns.

    :param reactor: for time; it serves between two slices.
    :param settle: called periodically in large cycles.
    """

    def __init__(self, reactor: Any, settle: Callable[[], None]) -> None:
        self._reactor = reactor
        self._settle = settle
        self._count = 0
        self._works: deque[tuple[Steps[Any], Deferred[Any]]] = deque()
        self._is_planned = False
        self.duration = SLICE_DURATION
        """Seconds of a slice; longer ones cost less, while nobody is served."""

        self.is_running = True
        """Whether to run further slices."""

    def __repr__(self) -> str:
        return f"<Slices {self._count}, running={self.is_running}>"

    def begin_cycle(self) -> None:
        """Begin to count slices anew."""
        self._count = 0

    def end_cycle(self) -> None:
        """End a cycle, and settle its objects if it was large."""
        if self._count > LARGE_CYCLE:
            self._settle()

    async def run(self, work: Steps[T]) -> T:
        """
        :return: the result of the work.
        :raises Stopped: if it is abandoned.
        """
        done: Deferred[T] = Deferred()
        self._works.append((work, done))
        self._plan()
        return await done

    def _plan(self) -> None:
        """Have a slice begin soon, if there is work."""
        if self._works and not self._is_planned:
            self._is_planned = True
            self._reactor.callLater(0, self._run_slice)

    def _run_slice(self) -> None:
        self._is_planned = False
        self._count += 1
        if self._count > LARGE_CYCLE and self._count % SLICES_PER_SETTLING == 0:
            self._settle()
        end = self._reactor.seconds() + self.duration
        while self._works:
            work, done = self._works.popleft()
            self._step(work, done)
            if self._reactor.seconds() > end:
                break
        self._plan()

    def _step(self, work: Steps[Any], done: Deferred[Any]) -> None:
        """Do one step of a work, whose next turn comes after those of the others."""
        if not self.is_running:
            done.errback(Stopped())
            return
        try:
            next(work)
        except StopIteration as end:
            done.callback(end.value)
        except Exception:
            done.errback()
        else:
            self._works.append((work, done))
