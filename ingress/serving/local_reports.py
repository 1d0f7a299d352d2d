"""
The reports of a data plane in this process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from functools import partial

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from ingress.policy.limiter import LimitLevels
from ingress.serving.data_plane import DataPlane
from ingress.serving.readings import (
    read_counters,
    read_endpoints,
    read_last_exchanges,
    read_vitals,
)
from ingress.telemetry.counts import CountsCollector
from ingress.telemetry.endpoint_state import EndpointStates
from ingress.telemetry.exchange_rows import ExchangeQuestion, Exchanges
from ingress.telemetry.totals import Totals
from ingress.telemetry.traffic import Traffic
from ingress.telemetry.vitals import Vitals


class LocalReports:
    """
    Reads the data plane on request (`Reports`).

    :param traffic: the counts of `plane`.
    :param totals: receives the counts.
    :param sessions: those of UDP.
    """

    def __init__(
        self,
        clock: IReactorTime,
        plane: DataPlane,
        traffic: Traffic,
        totals: Totals,
        sessions: Sized = (),
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self._plane = plane
        self._totals = totals
        self._collector = CountsCollector(traffic, partial(read_counters, plane))

    async def refresh(self) -> None:
        """Reports."""
        while (counts := self._collector.take()) is not None:
            self._totals.merge(counts)
            # A part takes some milliseconds: requests get their turn between two parts.
            await deferLater(self._clock, 0)

    async def gather(self) -> None:
        """Reports: what was counted is near."""
        await self.refresh()

    async def exchanges(self, question: ExchangeQuestion) -> Sequence[Exchanges]:
        """Reports."""
        read = read_last_exchanges(self._plane, question)
        return () if read is None else (read,)

    def limit_levels(self) -> LimitLevels:
        """Reports."""
        return self._plane.exchanges.policy_states.limiter.levels()

    def vitals(self) -> Iterable[Vitals]:
        """Reports."""
        return (read_vitals(self._plane, len(self._sessions)),)

    def endpoints(self) -> EndpointStates:
        """Reports."""
        return read_endpoints(self._plane)
