"""
The reports of all workers together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import Deferred

from ingress.policy.limiter import LimitLevels, SharedLimits
from ingress.telemetry.endpoint_state import EndpointStates, together
from ingress.telemetry.exchange_rows import ExchangeQuestion, Exchanges
from ingress.telemetry.vitals import Connections, Vitals, own_vitals


class WorkerState(NamedTuple):
    """The state of a worker; it can be pickled."""

    vitals: Vitals
    endpoints: EndpointStates


class Asked(Protocol):
    """`ingress.worker.workers.Workers`."""

    @property
    def states(self) -> Iterable[WorkerState]:
        """The last state of each worker that has sent one."""

    def ask(self) -> Deferred[None]:
        """Bring `states` up to date, and merge all counts."""

    def question(self, question: object) -> Deferred[list[Any]]:
        """Ask each worker something, and collect the answers."""


class WorkerReports:
    """
    Reads the workers (`Reports`).

    :param limits: the memory that they share.
    """

    def __init__(self, workers: Asked, limits: SharedLimits | None = None) -> None:
        self._workers = workers
        self._levels = limits.levels() if limits is not None else None

    async def refresh(self) -> None:
        """Reports."""
        await self._workers.ask()

    async def gather(self) -> None:
        """Reports: workers tell what they have counted once a second."""

    async def exchanges(self, question: ExchangeQuestion) -> Sequence[Exchanges]:
        """Reports."""
        answers: Sequence[Exchanges] = await self._workers.question(question)
        return answers

    def limit_levels(self) -> LimitLevels | None:
        """Reports."""
        return self._levels

    def vitals(self) -> Iterable[Vitals]:
        """Reports."""
        # This process has no connections of clients.
        yield own_vitals(Connections())
        for state in self._workers.states:
            yield state.vitals

    def endpoints(self) -> EndpointStates:
        """Reports."""
        return together(state.endpoints for state in self._workers.states)
