"""
Keeps the rates of the last hour while the proxy serves.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.steps import Steps
from ingress.telemetry.observed_proxy import Reports
from ingress.telemetry.rates import TICK, Rates

SLICE = 0.001
"""Seconds of work in one turn of the reactor."""


class RateKeeper(Service):
    """
    Ends the periods of `Rates`.

    :param clock: schedules them.
    :param reports: bring the counts up to date before.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, reports: Reports, rates: Rates) -> None:
        self._clock = clock
        self._reports = reports
        self._rates = rates
        self._due = 0.0
        self._call: IDelayedCall | None = None
        self._gathering: Deferred[Any] | None = None

    def __repr__(self) -> str:
        return f"<RateKeeper of {self._rates}>"

    def startService(self) -> None:
        """IService."""
        super().startService()  # type: ignore[no-untyped-call]
        self._due = self._clock.seconds()
        self._schedule()

    def stopService(self) -> None:
        """IService."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._gathering is not None:
            self._gathering.cancel()

    def _schedule(self) -> None:
        """Wait for the end of a period; one that was missed is a part of the next."""
        # Read once: the time that a second look gives may be past what is due.
        now = self._clock.seconds()
        self._due = max(self._due + TICK, now)
        self._call = self._clock.callLater(self._due - now, self._gather)

    def _gather(self) -> None:
        self._call = None
        self._gathering = Deferred.fromCoroutine(self._reports.gather())
        self._gathering.addErrback(self._failed)
        self._gathering.addCallback(lambda _: self._tick())

    def _failed(self, failure: Failure) -> None:
        if self.running:
            self.log.failure("What was counted cannot be read", failure)

    def _tick(self) -> None:
        self._gathering = None
        if self.running:
            self._work(self._rates.tick())

    def _work(self, steps: Steps[None]) -> None:
        self._call = None
        end = self._clock.seconds() + SLICE
        try:
            while self._clock.seconds() < end:
                next(steps)
        except StopIteration:
            self._schedule()
        else:
            self._call = self._clock.callLater(0, self._work, steps)
