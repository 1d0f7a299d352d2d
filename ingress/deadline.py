"""
Timeouts for very many objects, each of which costs no more than storing an attribute.

A `callLater` for each request would cost more than parsing its head. Here each timed object has
the moment at which its patience ends, and one sweep a second looks at all objects, which takes
about a millisecond for ten thousand (docs/adr/0006-deadlines-by-sweep.md).
"""

from __future__ import annotations

from typing import Final, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ingress.transports.turn_end import turn_end_of
from ingress.transports.turn_time import turn_time

NEVER: Final = float("inf")

SWEEP_INTERVAL: Final = 1.0
"""Seconds between sweeps, which is how late a timeout may be."""


class Timed(Protocol):
    """Something whose patience ends."""

    deadline: float
    """Seconds on the clock of the Deadlines that watch it; `NEVER` if it waits for nothing."""

    def deadline_passed(self) -> None:
        """Handle a deadline in the past. Called again at each sweep until it changes."""


class Deadlines:
    """
    Watches timed objects.

    :param clock: the clock of their deadlines.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.time = turn_time(clock)
        """What deadlines, and all times that are compared with one another, are of."""

        self.turn_end = turn_end_of(clock)
        """Calls at the end of a turn, by the same clock."""

        self._watched: dict[Timed, None] = {}
        self._sweeping = LoopingCall(self._sweep)
        self._sweeping.clock = clock

    def __repr__(self) -> str:
        return f"<Deadlines of {len(self._watched)}>"

    def now(self) -> float:
        """:return: seconds. What every request asks reads `time.now` instead, without a call."""
        return self.time.now

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
            # Handling one deadline may have ended another object, or given it more time.
            if timed not in self._watched or timed.deadline > now:
                continue
            try:
                timed.deadline_passed()
            except Exception:
                # One broken connection must not end the timeouts of all others.
                self.log.failure("A deadline of {timed} could not be handled", timed=timed)
