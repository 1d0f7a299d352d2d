"""
Runs of scenarios, interleaved over contenders, and which of them count.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.comparison.load import LoadResult
from benchmarks.comparison.machine import Cores
from benchmarks.comparison.pace import SLOW, Pace
from benchmarks.comparison.peer import Contender
from benchmarks.comparison.process import Failed, Process
from benchmarks.comparison.scenario import Scenario

tell = partial(print, file=sys.stderr, flush=True)
"""What happens, to who waits for the table."""

LEAST_BUSY = 0.95
"""Share of its core that a proxy has in a run that counts, where the proxy is the bound."""

MOST_FOREIGN = 0.05
"""Share of either core that others have in a run that counts, where it is not."""

GLANCE = 0.3
"""Seconds in which one sees whether a core is busy or slow."""

QUIET = 0.1
"""Share of a core in use that is next to nothing: in so short a time one tick is 3 %."""

WARM_UP = 1.0
"""Seconds of load before the first run of a scenario, whose figures are thrown away."""


@dataclass(frozen=True)
class Run:
    """
    One measurement.

    :ivar processor: seconds that the proxy used of its core.
    :ivar wall: seconds that the run took, less those in which the proxy's pace was taken.
    :ivar foreign: the share that neither the proxy nor the benchmark used, of the core
        of which it was more.
    :ivar slowness: times that the proxy's core took for the same work as at its best.
    :ivar memory: KiB of the proxy at the end of it.
    """

    scenario: str
    peer: str
    round: int
    outcome: LoadResult
    processor: float
    wall: float
    foreign: float
    slowness: float
    memory: int
    saturates: bool

    @property
    def busy(self) -> float:
        return self.processor / self.wall

    @property
    def cost(self) -> float:
        """Microseconds of processor time for a request."""
        return self.processor / max(self.outcome.requests, 1) * 1e6

    @property
    def fault(self) -> str:
        """Why it does not count; empty if it does."""
        if self.outcome.faults:
            return self.outcome.faults
        if self.saturates and self.busy < LEAST_BUSY:
            return f"the proxy had {self.busy:.0%} of its core"
        return self.disturbance

    @property
    def disturbance(self) -> str:
        """What makes the processor time doubtful, too; empty for nothing."""
        if self.foreign > MOST_FOREIGN and not (self.saturates and self.busy >= LEAST_BUSY):
            return f"others had {self.foreign:.0%} of a core"
        if self.slowness > SLOW:
            return f"the core was {self.slowness - 1:.0%} slower than it can be"
        return ""


@dataclass(frozen=True)
class Effort:
    """
    :ivar seconds: of load in a run.
    :ivar tries: for a run to count, before the round goes on without it.
    :ivar patience: seconds that each run may wait for cores that are idle and fast.
    :ivar minutes: that all of it may take with waiting and repetition, of which each round
        has its share; after it no run waits or is repeated.
    """

    rounds: int
    seconds: float
    tries: int
    patience: float
    minutes: float


class Rounds:
    """
    :param contenders: by the name of their site.
    :param endpoints: the processes that share the core of the load.
    """

    def __init__(
        self,
        contenders: Mapping[str, Sequence[Contender]],
        endpoints: Sequence[Process],
        cores: Cores,
        effort: Effort,
    ) -> None:
        self._contenders = contenders
        self._endpoints = endpoints
        self._cores = cores
        self._effort = effort
        self._pace = Pace(cores.proxy)
        self._deadline = 0.0

    def runs(self, scenarios: Sequence[Scenario]) -> Iterator[Run]:
        """Every run as it is done, those that do not count among them."""
        pairs = [(each, whom) for each in scenarios for whom in self._contenders[each.site]]
        for scenario, contender in pairs:
            self._drive(scenario, contender, WARM_UP)
        began, share = time.monotonic(), self._effort.minutes * 60 / self._effort.rounds
        for number in range(1, self._effort.rounds + 1):
            self._deadline = began + number * share
            for scenario, contender in pairs:
                for _ in range(self._effort.tries):
                    self._wait_for_quiet()
                    run = self._run(scenario, contender, number)
                    contender.forget_log()
                    _tell(run)
                    yield run
                    if not run.fault or time.monotonic() > self._deadline:
                        break

    def _wait_for_quiet(self) -> None:
        end = min(time.monotonic() + self._effort.patience, self._deadline)
        while time.monotonic() < end:
            with self._cores.watched([], []) as watch, self._pace.watched() as slowness:
                time.sleep(GLANCE)
            if watch.foreign <= QUIET and slowness.value <= SLOW:
                return

    def _run(self, scenario: Scenario, contender: Contender, number: int) -> Run:
        try:
            with scenario.prepare(contender):
                return self._measure(scenario, contender, number)
        except Failed as error:
            outcome = LoadResult(0, 0.0, faults=str(error))
            name = contender.peer.name
            return Run(scenario.name, name, number, outcome, 0, 1, 0, 1, 0, scenario.saturates)

    def _measure(self, scenario: Scenario, contender: Contender, number: int) -> Run:
        process = contender.process
        used, began = process.processor_seconds, time.monotonic()
        with (
            self._cores.watched([process], self._endpoints) as watch,
            self._pace.watched() as slowness,
        ):
            outcome = self._drive(scenario, contender, self._effort.seconds)
        wall = time.monotonic() - began
        wall -= slowness.seconds
        used = process.processor_seconds - used
        return Run(
            scenario.name,
            contender.peer.name,
            number,
            outcome,
            used,
            wall,
            watch.foreign,
            slowness.value,
            process.memory,
            scenario.saturates,
        )

    def _drive(self, scenario: Scenario, contender: Contender, seconds: float) -> LoadResult:
        try:
            return scenario.drive(contender, self._cores.load, seconds)
        except Failed as error:
            return LoadResult(0, 0.0, faults=str(error))


def _tell(run: Run) -> None:
    why = f"  does not count: {run.fault}" if run.fault else ""
    tell(
        f"round {run.round}  {run.scenario:16}{run.peer:14}{run.outcome.rate:10,.0f} req/s"
        f"{run.cost:10.1f} us{run.busy * 100:5.0f} %{run.slowness:6.2f}{why}"
    )
