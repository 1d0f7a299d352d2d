"""
Timeouts for very many objects at the price of an attribute store each.

A `callLater` a request would cost more than parsing its head. Here each timed
object carries the moment at which its patience ends, and one sweep a second
looks at all of them: ten thousand cost about a millisecond.
"""

from __future__ import annotations

from typing import Final, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

NEVER: Final = float("inf")

SWEEP_INTERVAL: Final = 1.0
"""Seconds between sweeps, which is how late a timeout may be."""


class Timed(Protocol):
    """Something whose patience ends."""

    deadline: float
    """On the clock of the Deadlines that watch it; `NEVER` where it waits for nothing."""

    def deadline_passed(self) -> None:
        """Its deadline lies in the past. Called again at each sweep until that changes."""


class Deadlines:
    """
    Watches over timed objects.

    :param clock: what the deadlines are set on.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.now = clock.seconds
        """Seconds on the clock of the deadlines; each request asks some four times."""

        self._watched: dict[Timed, None] = {}
        self._sweeping = LoopingCall(self._sweep)
        self._sweeping.clock = clock

    def __repr__(self) -> str:
        return f"<Deadlines of {len(self._watched)}>"

    def start(self) -> None:
        self._sweeping.start(SWEEP_INTERVAL, now=False)

    def stop(self) -> None:
        if self._sweeping.running:
            self._sweeping.stop()

    def watch(self, timed: Timed) -> None:
        self._watched[timed] = None

    def forget(self, timed: Timed) -> None:
        self._watched.pop(timed, None)

    def _sweep(self) -> None:
        now = self.now()
        passed = [timed for timed in self._watched if timed.deadline <= now]
        for timed in passed:
            # The end of one may have ended another, or given it more time.
            if timed not in self._watched or timed.deadline > now:
                continue
            try:
                timed.deadline_passed()
            except Exception:
                # One broken connection must not end everybody's timeouts.
                self.log.failure("A deadline of {timed} could not be handled", timed=timed)
