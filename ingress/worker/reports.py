"""
What workers tell of themselves, for whoever watches all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from twisted.internet.defer import Deferred

from ingress.telemetry.endpoint_state import EndpointStates, together
from ingress.telemetry.vitals import Connections, Vitals, resident_memory


class WorkerState(NamedTuple):
    """How a worker fares; it can be pickled."""

    vitals: Vitals
    endpoints: EndpointStates


class Asked(Protocol):
    """`ingress.worker.workers.Workers`."""

    @property
    def states(self) -> Iterable[WorkerState]:
        """What each worker told when it was asked last, if it was."""

    def ask(self) -> Deferred[None]:
        """Have `states` be those of now, and all merged that was counted."""


class WorkerReports:
    """Asks workers (`Reports`)."""

    def __init__(self, workers: Asked) -> None:
        self._workers = workers

    async def refresh(self) -> None:
        """Reports."""
        await self._workers.ask()

    def vitals(self) -> Iterable[Vitals]:
        """Reports."""
        # This process has no connections of clients.
        yield Vitals(Connections(), resident_memory())
        for state in self._workers.states:
            yield state.vitals

    def endpoints(self) -> EndpointStates:
        """Reports."""
        return together(state.endpoints for state in self._workers.states)
