"""
Runs of scenarios, interleaved over contenders, and which of them count.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.comparison.load import Outcome
from benchmarks.comparison.peer import Contender
from benchmarks.comparison.scenario import Scenario

LEAST_BUSY = 0.95
"""Share of its core that a proxy has in a run that counts."""

WARM_UP = 1.0
"""Seconds of load before the first run of a scenario, whose figures are thrown away."""


@dataclass(frozen=True)
class Run:
    """
    One measurement.

    :ivar processor: seconds that the proxy used of its core.
    :ivar wall: seconds that the run took.
    :ivar memory: KiB of the proxy at the end of it.
    """

    scenario: str
    peer: str
    round: int
    outcome: Outcome
    processor: float
    wall: float
    memory: int
    counts: bool

    @property
    def busy(self) -> float:
        return self.processor / self.wall

    @property
    def cost(self) -> float:
        """Microseconds of processor time for a request."""
        return self.processor / max(self.outcome.requests, 1) * 1e6


@dataclass(frozen=True)
class Effort:
    """
    :ivar seconds: of load in a run.
    :ivar tries: for a run to count, before the round goes on without it.
    """

    rounds: int
    seconds: float
    tries: int
    load_core: int


class Rounds:
    """
    :param contenders: by the name of their site.
    """

    def __init__(
        self,
        scenarios: Sequence[Scenario],
        contenders: dict[str, list[Contender]],
        effort: Effort,
    ) -> None:
        self._scenarios = scenarios
        self._contenders = contenders
        self._effort = effort

    def warm_up(self) -> None:
        for scenario, contender in self._pairs():
            scenario.drive(contender, self._effort.load_core, WARM_UP)

    def runs(self) -> Iterator[Run]:
        """Every run as it is done, those that do not count among them."""
        self.warm_up()
        for number in range(1, self._effort.rounds + 1):
            for scenario, contender in self._pairs():
                for _ in range(self._effort.tries):
                    run = self._run(scenario, contender, number)
                    contender.forget_log()
                    _tell(run)
                    yield run
                    if run.counts:
                        break

    def _pairs(self) -> Iterator[tuple[Scenario, Contender]]:
        for scenario in self._scenarios:
            for contender in self._contenders[scenario.site]:
                yield scenario, contender

    def _run(self, scenario: Scenario, contender: Contender, number: int) -> Run:
        process = contender.process
        used, began = process.processor_seconds, time.monotonic()
        outcome = scenario.drive(contender, self._effort.load_core, self._effort.seconds)
        wall = time.monotonic() - began
        used = process.processor_seconds - used
        was_busy = used / wall >= LEAST_BUSY or not scenario.saturates
        return Run(
            scenario.name,
            contender.peer.name,
            number,
            outcome,
            used,
            wall,
            process.memory,
            was_busy and not outcome.faults,
        )


def _tell(run: Run) -> None:
    why = "" if run.counts else f"  does not count: {run.outcome.faults or 'core not its own'}"
    print(
        f"round {run.round}  {run.scenario:16}{run.peer:14}{run.outcome.rate:10,.0f} req/s"
        f"{run.cost:9.1f} us{run.busy * 100:5.0f} %{why}",
        file=sys.stderr,
        flush=True,
    )
