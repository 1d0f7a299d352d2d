"""
The table, and the file with every run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.comparison.rounds import Run
from benchmarks.comparison.scenario import Scenario

REFERENCE = "nginx"
"""Whose figures are 1.00."""


@dataclass(frozen=True)
class Row:
    """What the runs of a peer in one scenario come to; medians."""

    peer: str
    counted: Sequence[Run]
    discarded: int

    @classmethod
    def of(cls, peer: str, runs: Iterable[Run]) -> Row:
        """If none counts, those that have no faults are shown: processor time still says much."""
        mine = [run for run in runs if run.peer == peer]
        counted = [run for run in mine if run.counts]
        shown = counted or [run for run in mine if not run.outcome.faults]
        return cls(peer, shown, len(mine) - len(counted))

    def middle(self, figure: Callable[[Run], float]) -> float:
        return median(map(figure, self.counted))

    def spread(self, figure: Callable[[Run], float], form: str) -> str:
        values = sorted(map(figure, self.counted))
        text = format(median(values), form)
        if len(values) == 1:
            return text
        return f"{text} ({format(values[0], form)}-{format(values[-1], form)})"


HEAD = (
    "",
    "requests/s",
    "ratio",
    "CPU, us/request",
    "ratio",
    "p50, ms",
    "p99, ms",
    "busy, %",
    "memory, MiB",
    "discarded",
)


def scenario_table(scenario: Scenario, runs: Sequence[Run]) -> list[str]:
    """Lines of Markdown."""
    mine = [run for run in runs if run.scenario == scenario.name]
    rows = [Row.of(peer, mine) for peer in dict.fromkeys(run.peer for run in mine)]
    rows = [row for row in rows if row.counted]
    reference = next((row for row in rows if row.peer == REFERENCE), None)
    lines = [f"### {scenario.title}", "", _line(HEAD), _line(["---"] + ["---:"] * (len(HEAD) - 1))]
    return [*lines, *(_line(_cells(row, reference, scenario)) for row in rows), ""]


def _cells(row: Row, reference: Row | None, scenario: Scenario) -> list[str]:
    rate, cost = row.middle(_rate), row.middle(_cost)
    of_rate, of_cost = "", ""
    if reference is not None:
        of_rate = f"{rate / reference.middle(_rate):.2f}"
        of_cost = f"{reference.middle(_cost) / cost:.2f}"
    if not all(run.counts for run in row.counted) or not scenario.saturates:
        of_rate = f"({of_rate})"
    return [
        row.peer,
        row.spread(_rate, ",.0f"),
        of_rate,
        row.spread(_cost, ".1f"),
        of_cost,
        f"{row.middle(lambda run: run.outcome.p50) * 1000:.2f}",
        f"{row.middle(lambda run: run.outcome.p99) * 1000:.2f}",
        f"{row.middle(lambda run: run.busy) * 100:.0f}",
        f"{row.middle(lambda run: run.memory) / 1024:.0f}",
        str(row.discarded),
    ]


def _rate(run: Run) -> float:
    return run.outcome.rate


def _cost(run: Run) -> float:
    return run.cost


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write_json(path: Path, about: dict[str, object], runs: Sequence[Run]) -> None:
    rows = [asdict(run) | {"busy": run.busy, "cost": run.cost} for run in runs]
    path.write_text(json.dumps({**about, "runs": rows}, indent=1))
