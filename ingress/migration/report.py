"""
The report of a move: rows by verdict, with what people decide, for those who know no YAML.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ingress.migration.verdict import ACCESS, SHOWN_ORDER, WORST_FIRST, Part, Row, Verdict, count
from ingress.problem import printable

MEANING: Final[Mapping[Verdict, str]] = {
    Verdict.CLOSED: "it answers with an error, or is not served, until somebody decides",
    Verdict.DIFFERS: "it works, but not quite as before",
    Verdict.IGNORED: "it has no effect any more",
    Verdict.SAME: "it works as before",
}
"""The verdicts for people."""

HEADING: Final[Mapping[Verdict, str]] = {
    Verdict.CLOSED: "What will stop working",
    Verdict.DIFFERS: "What will be different",
    Verdict.IGNORED: "What will have no effect",
    Verdict.SAME: "What stays the same",
}
_PLURALS: Final[Mapping[Part, str]] = {
    Part.INGRESS: "Ingresses (rules by which requests reach applications)",
    Part.FLAG: "flags of the command line",
    Part.KEY: "keys of the ConfigMap (settings for all)",
    Part.VALUE: "values given to the Helm chart",
    Part.OBJECT: "other objects and their fields",
}


ABOUT: Final = (
    "ingress-nginx is the program through which requests reach the applications of a cluster. This "
    "report says what becomes of each of its parts when txingress takes its place."
)
"""For whoever reads nothing else about it."""


@dataclass(frozen=True)
class Report:
    """What becomes of one installation."""

    title: str
    """The workload, for people."""

    class_name: str
    made: str
    """The date."""

    rows: tuple[Row, ...]

    @property
    def undecided(self) -> Sequence[Row]:
        """What is not the same, the worst first."""
        return [row for row in self.by_verdict() if row.verdict is not Verdict.SAME]

    def by_verdict(self) -> list[Row]:
        """:return: all rows, the worst first, then in the order of parts."""
        parts = list(Part)
        return sorted(
            self.rows, key=lambda row: (WORST_FIRST.index(row.verdict), parts.index(row.part))
        )

    def number(self, verdict: Verdict) -> int:
        """:return: how many rows have a verdict."""
        return sum(row.verdict is verdict for row in self.rows)

    def counts(self) -> list[tuple[str, list[int]]]:
        """:return: for each part, in words, the numbers of `SHOWN_ORDER`."""
        return [
            (_PLURALS[part], [numbers[verdict] for verdict in SHOWN_ORDER])
            for part, numbers in count(self.rows).items()
        ]

    def owners(self) -> Mapping[str, list[Row]]:
        """:return: what has to be decided or done, by whom."""
        found: dict[str, list[Row]] = {}
        for row in self.undecided:
            found.setdefault(row.owner, []).append(row)
        return found

    def verdict_sentence(self) -> str:
        """:return: the whole in one sentence."""
        closed, differs = self.number(Verdict.CLOSED), self.number(Verdict.DIFFERS)
        ignored, total = self.number(Verdict.IGNORED), len(self.rows)
        if closed:
            return (
                f"Do not switch yet: of {total} things, {closed} will stop working until somebody "
                f"decides; {differs} will be different, {ignored} will have no effect."
            )
        if differs or ignored:
            access = sum(row.action == ACCESS for row in self.rows)
            warning = f" {access} of them may have kept somebody out." if access else ""
            return (
                f"Nothing stops working. Of {total} things, {differs} will be different and "
                f"{ignored} will have no effect: read these before the switch.{warning}"
            )
        return f"All {total} things work as before."

    def as_json(self) -> dict[str, Any]:
        """:return: plain values."""
        return {
            "installation": self.title,
            "class": self.class_name,
            "made": self.made,
            "verdict": self.verdict_sentence(),
            "summary": {
                str(part): {str(verdict): numbers[verdict] for verdict in SHOWN_ORDER}
                for part, numbers in count(self.rows).items()
            },
            "rows": [row.as_json() for row in self.by_verdict()],
        }


def write_text(report: Report) -> Iterator[str]:
    """:return: lines for a terminal, which nothing in them steers."""
    yield from map(printable, _text(report))


def _text(report: Report) -> Iterator[str]:
    yield f"{report.title}, class {report.class_name}, {report.made}"
    yield ""
    yield report.verdict_sentence()
    yield ""
    yield f"{'same':>6}{'differs':>9}{'ignored':>9}{'closed':>8}"
    for name, (same, differs, ignored, closed) in report.counts():
        yield f"{same:>6}{differs:>9}{ignored:>9}{closed:>8}  {name}"
    for verdict in WORST_FIRST[:-1]:
        rows = [row for row in report.by_verdict() if row.verdict is verdict]
        if rows:
            yield ""
            yield f"{HEADING[verdict]} ({verdict}: {MEANING[verdict]})"
        for row in rows:
            yield from _text_row(row)
    owners = report.owners()
    if owners:
        yield ""
        yield "Who decides"
    for owner, rows in owners.items():
        yield f"  {owner}: {len(rows)} ({', '.join(_numbers(rows))})"


def _numbers(rows: Sequence[Row]) -> Iterator[str]:
    for verdict in WORST_FIRST:
        number = sum(row.verdict is verdict for row in rows)
        if number:
            yield f"{number} {verdict}"


def _text_row(row: Row) -> Iterator[str]:
    value = f" = {row.value}" if row.value else ""
    place = f"   [{row.file}:{row.line}]" if row.line else ""
    yield f"  {row.part} {row.name}{value}{place}"
    codes = f" ({', '.join(row.codes)})" if row.codes else ""
    yield f"      {row.follows}{codes}"
    if row.action:
        yield f"      -> {row.action}"


def write_markdown(report: Report) -> Iterator[str]:
    """:return: lines of Markdown, for a wiki or a pull request."""
    yield f"# The move of {_cell(report.title)}"
    yield ""
    yield f"Class {_cell(report.class_name)}, {report.made}. {ABOUT}"
    yield ""
    yield f"**{report.verdict_sentence()}**"
    yield ""
    yield "| | same | differs | ignored | closed |"
    yield "| --- | --: | --: | --: | --: |"
    for name, numbers in report.counts():
        yield f"| {name} | {' | '.join(map(str, numbers))} |"
    yield ""
    for verdict in SHOWN_ORDER:
        yield f"- **{verdict}**: {MEANING[verdict]}"
    yield from _markdown_owners(report)
    for verdict in WORST_FIRST:
        yield from _markdown_rows(report, verdict)
    yield ""
    yield "Read and agreed:"
    yield ""
    yield "| name | for | date |"
    yield "| --- | --- | --- |"
    for owner in report.owners() or ("all",):
        yield f"| | {_cell(owner)} | |"


def _markdown_owners(report: Report) -> Iterator[str]:
    owners = report.owners()
    if not owners:
        return
    yield ""
    yield "## Who decides what"
    yield ""
    yield "| who | how many | about what |"
    yield "| --- | --- | --- |"
    for owner, rows in owners.items():
        names = ", ".join(_cell(f"{row.part} {row.name}") for row in rows[:MOST_NAMED])
        more = f" and {len(rows) - MOST_NAMED} more" if len(rows) > MOST_NAMED else ""
        yield f"| {_cell(owner)} | {', '.join(_numbers(rows))} | {names}{more} |"


def _markdown_rows(report: Report, verdict: Verdict) -> Iterator[str]:
    rows = [row for row in report.by_verdict() if row.verdict is verdict]
    if not rows:
        return
    yield ""
    yield f"## {HEADING[verdict]} ({len(rows)})"
    yield ""
    yield "| what | value | what follows | what to do |"
    yield "| --- | --- | --- | --- |"
    for row in rows:
        codes = f" ({', '.join(row.codes)})" if row.codes else ""
        what = f"{row.part} {_cell(row.name)}"
        yield (
            f"| {what} | {_cell(row.value)} | {_cell(row.follows)}{codes} | {_cell(row.action)} |"
        )


def _cell(text: str) -> str:
    """:return: text of a file as text of a cell: no value makes a link, an image or markup."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("\\", "\\\\")
    for mark in "|[]*_`":
        escaped = escaped.replace(mark, f"\\{mark}")
    return escaped.replace("\n", " ")


MOST_NAMED: Final = 12
"""Rows that are named for each owner; the tables have all."""

Writer = Callable[[Report], Iterator[str]]
