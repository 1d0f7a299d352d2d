"""
The report of a move for a terminal, and as Markdown for a wiki or a pull request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingress.migration.report import (
    ABOUT,
    AGREED,
    BACK,
    HEADING,
    LIMITS,
    MEANING,
    MOST_ADDRESSES,
    WORDS,
    Report,
)
from ingress.migration.verdict import SHOWN_ORDER, WORST_FIRST, Row, Verdict
from ingress.problem import printable


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
        rows = report.by_verdict[verdict]
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
    if row.addresses:
        yield f"      {', '.join(shown_addresses(row))}"
    codes = f" ({', '.join(row.codes)})" if row.codes else ""
    yield f"      {row.follows}{codes}"
    if row.action:
        yield f"      -> {row.action}"


def shown_addresses(row: Row) -> Iterator[str]:
    """Yield the first addresses of a row, and how many more there are."""
    yield from row.addresses[:MOST_ADDRESSES]
    if len(row.addresses) > MOST_ADDRESSES:
        yield f"and {len(row.addresses) - MOST_ADDRESSES} more"


def subject(row: Row) -> str:
    """:return: what a row is about, in as few words as people know: an address comes first."""
    if not row.addresses:
        return f"{row.part} {row.name}"
    more = len(row.addresses) - 1
    return f"{row.addresses[0]}{f' and {more} more' if more else ''} ({row.part} {row.name})"


def write_markdown(report: Report) -> Iterator[str]:
    """:return: lines of Markdown, for a wiki or a pull request."""
    yield "# From ingress-nginx to txingress"
    yield ""
    yield f"{_cell(report.title)}, which serves the class {_cell(report.class_name)}. {report.made}"
    yield ""
    yield ABOUT
    yield ""
    yield f"**{_cell(report.verdict_sentence())}**"
    yield ""
    yield BACK
    yield from _markdown_tasks(report)
    for verdict in WORST_FIRST[:-1]:
        yield from _markdown_rows(report, verdict)
    yield from _markdown_same(report)
    yield from _section("In numbers")
    yield "| | same | differs | ignored | closed |"
    yield "| --- | --: | --: | --: | --: |"
    for name, numbers in report.counts():
        yield f"| {name} | {' | '.join(map(str, numbers))} |"
    yield ""
    for verdict in SHOWN_ORDER:
        yield f"- **{verdict}**: {MEANING[verdict]}"
    yield from _section("What this report cannot say")
    yield from (f"- {limit}" for limit in LIMITS)
    yield from _section("Words")
    yield from (f"- **{word}**: {meaning}" for word, meaning in WORDS.items())
    yield from _section("Read and agreed")
    yield AGREED
    yield ""
    yield "| for | points | name | date |"
    yield "| --- | --: | --- | --- |"
    for owner, number in report.signers():
        yield f"| {_cell(owner)} | {number} | | |"


def _section(heading: str) -> Iterator[str]:
    yield ""
    yield f"## {heading}"
    yield ""


def _markdown_tasks(report: Report) -> Iterator[str]:
    yield from _section("What somebody has to do")
    tasks = report.tasks()
    if not tasks:
        yield "Nothing."
        return
    yield "Before the switch, unless it says otherwise:"
    yield ""
    for (action, owner), rows in tasks.items():
        yield f"- [ ] {_cell(action)} ({_cell(owner)})"
        for row in rows[:MOST_ADDRESSES]:
            yield f"  - {_cell(subject(row))}"
        if len(rows) > MOST_ADDRESSES:
            yield f"  - and {len(rows) - MOST_ADDRESSES} more"


def _markdown_rows(report: Report, verdict: Verdict) -> Iterator[str]:
    rows = report.by_verdict[verdict]
    if not rows:
        return
    yield from _section(f"{HEADING[verdict]} ({len(rows)})")
    yield f"Each of these is *{verdict}*: {MEANING[verdict]}."
    yield ""
    yield "| what | how people notice | why, for experts | what to do |"
    yield "| --- | --- | --- | --- |"
    for row in rows:
        cells = (_markdown_what(row), _cell(row.noticed), _cell(_follows(row)), _cell(row.action))
        yield f"| {' | '.join(cells)} |"


def _markdown_what(row: Row) -> str:
    addresses = [_cell(each) for each in shown_addresses(row)]
    value = f" = {row.value}" if row.value else ""
    lines = [*addresses, _cell(f"{row.part} {row.name}{value}")]
    return "<br>".join([*lines, *([_cell(row.place)] if row.place else [])])


def _follows(row: Row) -> str:
    codes = f" ({', '.join(row.codes)})" if row.codes else ""
    return row.follows + codes


def _markdown_same(report: Report) -> Iterator[str]:
    if not report.number(Verdict.SAME):
        return
    yield from _section(f"{HEADING[Verdict.SAME]} ({report.number(Verdict.SAME)})")
    for owner, addresses in report.same_addresses().items():
        yield f"- {_cell(owner)}: {', '.join(map(_cell, addresses))}"
    if number := report.same_settings():
        yield f"- {number} settings and other things, which report.json names"


def _cell(text: str) -> str:
    """:return: text of a file as text of a cell: no value makes a link, an image or markup."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("\\", "\\\\")
    for mark in "|[]*_`":
        escaped = escaped.replace(mark, f"\\{mark}")
    return escaped.replace("\n", " ")
