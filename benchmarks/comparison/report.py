"""
Tables of ratios, and a file with every run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.comparison import memory
from benchmarks.comparison.memory import Footprint
from benchmarks.comparison.rounds import Run
from benchmarks.comparison.scenario import Scenario

REFERENCE = "nginx"
"""Whose figures are 1.00."""

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
    "runs",
    "discarded",
)

EXPLANATION = """\
Medians of the runs that count, with the least and the most of them. Ratios are to nginx, and
more is better: of rates, and of processor time for a request. In brackets where the rate says
little: what bounds it is the client or the endpoint, or no run counts. The processor time is then
that of the runs in which nothing else disturbed the core, or of the one that took the least."""


@dataclass(frozen=True)
class Row:
    """
    What the runs of a peer in a scenario come to.

    :ivar shown: those that count. If none does, those whose processor time can be trusted;
        else the one that took the least of it: whatever disturbs it adds to it.
    """

    peer: str
    shown: Sequence[Run]
    discarded: Sequence[Run]

    @classmethod
    def of(cls, peer: str, runs: Iterable[Run]) -> Row:
        mine = [run for run in runs if run.peer == peer]
        counted = [run for run in mine if not run.fault]
        usable = [run for run in mine if not run.outcome.faults]
        undisturbed = [run for run in usable if not run.disturbance]
        shown = counted or undisturbed or sorted(usable, key=_cost)[:1]
        return cls(peer, shown, [run for run in mine if run.fault])

    @property
    def rate_counts(self) -> bool:
        return all(run.saturates and not run.fault for run in self.shown)

    def middle(self, figure: Callable[[Run], float]) -> float:
        return median(map(figure, self.shown))

    def spread(self, figure: Callable[[Run], float], form: str) -> str:
        values = sorted(map(figure, self.shown))
        text = format(median(values), form)
        if len(values) == 1:
            return text
        return f"{text} ({format(values[0], form)}-{format(values[-1], form)})"

    def ratio_of_rates(self, reference: Row | None) -> str:
        if reference is None:
            return ""
        text = f"{self.middle(_rate) / reference.middle(_rate):.2f}"
        return text if self.rate_counts and reference.rate_counts else f"({text})"

    def ratio_of_costs(self, reference: Row | None) -> str:
        return "" if reference is None else f"{reference.middle(_cost) / self.middle(_cost):.2f}"


def _rate(run: Run) -> float:
    return run.outcome.rate


def _cost(run: Run) -> float:
    return run.cost


@dataclass
class Report:
    """
    :ivar about: the machine, and what everything was run with.
    :ivar notes: by the name of the peer: its version and how it is configured.
    :ivar missing: peers that were left out, and why.
    """

    about: dict[str, str]
    notes: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    scenarios: list[Scenario] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    footprints: list[Footprint] = field(default_factory=list)

    def rates(self, scenario: str) -> dict[str, float]:
        """What each peer can take in a scenario: requests in a second of processor time."""
        return {row.peer: 1e6 / row.middle(_cost) for row in self._rows(scenario)}

    def _rows(self, scenario: str) -> list[Row]:
        mine = [run for run in self.runs if run.scenario == scenario]
        rows = [Row.of(peer, mine) for peer in dict.fromkeys(run.peer for run in mine)]
        return [row for row in rows if row.shown]

    def lines(self) -> list[str]:
        """Of Markdown."""
        lines = [f"- {name}: {value}" for name, value in {**self.about, **self.notes}.items()]
        lines += [f"- Left out: {name}: {why}" for name, why in self.missing.items()]
        lines += ["", *self._summary()]
        for scenario in self.scenarios:
            lines += self._table(scenario)
        if self.footprints:
            lines += memory.table(self.footprints)
        return lines

    def _summary(self) -> list[str]:
        """A line for each scenario: the ratios of rates, or of costs where rates say little."""
        peers = list(dict.fromkeys(run.peer for run in self.runs))
        lines = [
            EXPLANATION,
            "",
            "### Ratios",
            "",
            _line(["", "of", *peers]),
            _rule(len(peers) + 2),
        ]
        for scenario in self.scenarios:
            rows = {row.peer: row for row in self._rows(scenario.name)}
            reference = rows.get(REFERENCE)
            if reference is None:
                continue
            by_rate = all(row.rate_counts for row in rows.values())
            ratio = Row.ratio_of_rates if by_rate else Row.ratio_of_costs
            cells = [ratio(rows[peer], reference) if peer in rows else "-" for peer in peers]
            lines.append(_line([scenario.title, "rate" if by_rate else "CPU", *cells]))
        return [*lines, ""]

    def _table(self, scenario: Scenario) -> list[str]:
        rows = self._rows(scenario.name)
        reference = next((row for row in rows if row.peer == REFERENCE), None)
        lines = []
        if rows:
            lines += [_line(HEAD), _rule(len(HEAD))]
            lines += [*(_line(_cells(row, reference)) for row in rows), ""]
        faults = {
            f"- {run.peer}: {run.outcome.faults.splitlines()[0]}"
            for run in self.runs
            if run.scenario == scenario.name and run.outcome.faults
        }
        if faults:
            lines += [*sorted(faults), ""]
        return [f"### {scenario.title} (`{scenario.name}`)", "", *lines] if lines else []

    def write(self, folder: Path) -> None:
        """``comparison.md`` and ``comparison.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.joinpath("comparison.md").write_text("\n".join(self.lines()))
        document = {
            "about": self.about,
            "peers": self.notes,
            "left out": self.missing,
            "runs": [
                asdict(run) | {"busy": run.busy, "cost": run.cost, "fault": run.fault}
                for run in self.runs
            ],
            "memory": [asdict(footprint) for footprint in self.footprints],
        }
        folder.joinpath("comparison.json").write_text(json.dumps(document, indent=1))


def _cells(row: Row, reference: Row | None) -> list[str]:
    return [
        row.peer,
        row.spread(_rate, ",.0f"),
        row.ratio_of_rates(reference),
        row.spread(_cost, ",.1f"),
        row.ratio_of_costs(reference),
        _milliseconds(row, lambda run: run.outcome.p50),
        _milliseconds(row, lambda run: run.outcome.p99),
        f"{row.middle(lambda run: run.busy) * 100:.0f}",
        f"{row.middle(lambda run: run.memory) / 1024:.0f}",
        str(len(row.shown)),
        str(len(row.discarded)),
    ]


def _milliseconds(row: Row, figure: Callable[[Run], float | None]) -> str:
    times = [time for time in map(figure, row.shown) if time is not None]
    return f"{median(times) * 1000:.2f}" if times else "-"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(columns: int) -> str:
    return f"| --- |{' ---: |' * (columns - 1)}"
