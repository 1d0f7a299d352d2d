"""
The report of a move as one page of HTML that needs nothing else: to be printed and signed.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from ingress.migration.report import ABOUT, HEADING, MEANING, MOST_NAMED, Report
from ingress.migration.verdict import SHOWN_ORDER, WORST_FIRST, Row, Verdict

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8888; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { border: 1px solid var(--line); padding: .35rem .6rem; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
table.rows { table-layout: fixed; }
td.number, th.number { text-align: right; }
.sentence { font-size: 1.25rem; font-weight: 600; border-left: .4rem solid; padding-left: .8rem; }
.closed { border-color: #b3261e; } .differs { border-color: #b26a00; }
.ignored { border-color: #6b6b6b; } .same { border-color: #1b7f3b; }
h2.closed, h2.differs, h2.ignored, h2.same { border-left: .4rem solid; padding-left: .6rem; }
h2.closed { border-color: #b3261e; } h2.differs { border-color: #b26a00; }
h2.ignored { border-color: #6b6b6b; } h2.same { border-color: #1b7f3b; }
td.sign { height: 2.5rem; min-width: 12rem; }
@media print { body { margin: 0; max-width: none; font-size: 11px; }
  tr, h2 { break-inside: avoid; break-after: auto; } h2 { break-after: avoid; } }
"""


def write_html(report: Report) -> Iterator[str]:
    """:return: lines of a page without scripts and external resources; all values are escaped."""
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield (
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    )
    yield f"<title>The move of {escape(report.title)}</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>The move of {escape(report.title)}</h1>"
    yield f"<p>Class {escape(report.class_name)}, {escape(report.made)}. {escape(ABOUT)}</p>"
    yield f'<p class="sentence {_worst(report)}">{escape(report.verdict_sentence())}</p>'
    yield from _counts(report)
    yield "<ul>"
    for verdict in SHOWN_ORDER:
        yield f"<li><strong>{verdict}</strong>: {escape(MEANING[verdict])}</li>"
    yield "</ul>"
    yield from _owners(report)
    for verdict in WORST_FIRST:
        yield from _rows(report, verdict)
    yield from _signatures(report)
    yield "</body></html>"


def _worst(report: Report) -> Verdict:
    return next((each for each in WORST_FIRST if report.number(each)), Verdict.SAME)


def _counts(report: Report) -> Iterator[str]:
    yield "<table><thead><tr><th></th>"
    yield "".join(f'<th class="number" scope="col">{head}</th>' for head in SHOWN_ORDER)
    yield "</tr></thead><tbody>"
    for name, numbers in report.counts():
        cells = "".join(f'<td class="number">{number}</td>' for number in numbers)
        yield f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'
    yield "</tbody></table>"


def _owners(report: Report) -> Iterator[str]:
    owners = report.owners()
    if not owners:
        return
    yield "<h2>Who decides what</h2><table><thead><tr>"
    yield '<th scope="col">who</th><th scope="col">about what</th></tr></thead><tbody>'
    for owner, rows in owners.items():
        names = [escape(f"{row.part} {row.name} ({row.verdict})") for row in rows[:MOST_NAMED]]
        if len(rows) > MOST_NAMED:
            names.append(f"and {len(rows) - MOST_NAMED} more")
        yield f'<tr><th scope="row">{escape(owner)}</th><td>{"<br>".join(names)}</td></tr>'
    yield "</tbody></table>"


def _rows(report: Report, verdict: Verdict) -> Iterator[str]:
    rows = [row for row in report.by_verdict() if row.verdict is verdict]
    if not rows:
        return
    yield f'<h2 class="{verdict}">{escape(HEADING[verdict])} ({len(rows)})</h2>'
    yield '<table class="rows"><thead><tr>'
    heads = (("what", 24), ("value", 16), ("what follows", 34), ("what to do", 26))
    yield "".join(f'<th scope="col" style="width:{width}%">{head}</th>' for head, width in heads)
    yield "</tr></thead><tbody>"
    for row in rows:
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in _cells(row))}</tr>"
    yield "</tbody></table>"


def _cells(row: Row) -> Iterator[str]:
    yield escape(f"{row.part} {row.name}")
    yield escape(row.value)
    codes = f" ({', '.join(row.codes)})" if row.codes else ""
    yield escape(row.follows + codes)
    yield escape(row.action)


def _signatures(report: Report) -> Iterator[str]:
    yield "<h2>Read and agreed</h2><table><thead><tr>"
    heads = ("for", "name", "date", "signature")
    yield "".join(f'<th scope="col">{head}</th>' for head in heads)
    yield "</tr></thead><tbody>"
    for owner in report.owners() or ("all",):
        yield f'<tr><th scope="row">{escape(owner)}</th>{"<td class=sign></td>" * 3}</tr>'
    yield "</tbody></table>"
