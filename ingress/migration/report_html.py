"""
The report of a move as one page of HTML that needs nothing else: to be printed and signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Final

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
from ingress.migration.report_text import shown_addresses, subject
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
h2.closed, h2.differs, h2.ignored, h2.same { border-style: none none none solid;
  border-width: .4rem; padding-left: .6rem; }
ol.tasks > li::before { content: "\\2610\\00a0"; }
small { color: GrayText; }
td.sign { height: 2.5rem; min-width: 12rem; }
@media print { body { margin: 0; max-width: none; font-size: 11px; }
  tr, h2, li { break-inside: avoid; break-after: auto; } h2 { break-after: avoid; } }
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
    yield "<h1>From ingress-nginx to txingress</h1>"
    place = f"{report.title}, which serves the class {report.class_name}. {report.made}"
    yield f"<p>{escape(place)}</p><p>{escape(ABOUT)}</p>"
    yield f'<p class="sentence {_worst(report)}">{escape(report.verdict_sentence())}</p>'
    yield f"<p>{escape(BACK)}</p>"
    yield from _tasks(report)
    for verdict in WORST_FIRST[:-1]:
        yield from _rows(report, verdict)
    yield from _same(report)
    yield from _counts(report)
    yield "<h2>What this report cannot say</h2>"
    yield from _list(map(escape, LIMITS))
    yield "<h2>Words</h2>"
    yield from _list(f"<strong>{word}</strong>: {escape(WORDS[word])}" for word in WORDS)
    yield from _signatures(report)
    yield "</body></html>"


def _list(items: Iterable[str], tag: str = "ul") -> Iterator[str]:
    yield f"<{tag}>"
    yield from (f"<li>{item}</li>" for item in items)
    yield f"</{tag.partition(' ')[0]}>"


def _worst(report: Report) -> Verdict:
    return next((each for each in WORST_FIRST if report.number(each)), Verdict.SAME)


def _tasks(report: Report) -> Iterator[str]:
    yield "<h2>What somebody has to do</h2>"
    tasks = report.tasks()
    if not tasks:
        yield "<p>Nothing.</p>"
        return
    yield "<p>Before the switch, unless it says otherwise:</p>"
    yield from _list(
        (
            f"{escape(action)} <strong>({escape(owner)})</strong>{''.join(_subjects(rows))}"
            for (action, owner), rows in tasks.items()
        ),
        'ol class="tasks"',
    )


def _subjects(rows: list[Row]) -> Iterator[str]:
    named = [escape(subject(row)) for row in rows[:MOST_ADDRESSES]]
    if len(rows) > MOST_ADDRESSES:
        named.append(f"and {len(rows) - MOST_ADDRESSES} more")
    yield from _list(named)


def _rows(report: Report, verdict: Verdict) -> Iterator[str]:
    rows = report.by_verdict[verdict]
    if not rows:
        return
    yield f'<h2 class="{verdict}">{escape(HEADING[verdict])} ({len(rows)})</h2>'
    yield f"<p>Each of these is <em>{verdict}</em>: {escape(MEANING[verdict])}.</p>"
    yield '<table class="rows"><thead><tr>'
    heads = (("what", 28), ("how people notice", 20), ("why, for experts", 28), ("what to do", 24))
    yield "".join(f'<th scope="col" style="width:{width}%">{head}</th>' for head, width in heads)
    yield "</tr></thead><tbody>"
    for row in rows:
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in _cells(row))}</tr>"
    yield "</tbody></table>"


def _cells(row: Row) -> Iterator[str]:
    value = f" = {row.value}" if row.value else ""
    name = escape(f"{row.part} {row.name}{value}")
    place = f"<br><small>{escape(row.place)}</small>" if row.place else ""
    addresses = "<br>".join(map(escape, shown_addresses(row)))
    yield f"{addresses}<br><small>{name}</small>{place}" if addresses else f"{name}{place}"
    codes = f" <small>({', '.join(row.codes)})</small>" if row.codes else ""
    yield escape(row.noticed)
    yield escape(row.follows) + codes
    yield escape(row.action)


def _same(report: Report) -> Iterator[str]:
    number = report.number(Verdict.SAME)
    if not number:
        return
    yield f'<h2 class="same">{escape(HEADING[Verdict.SAME])} ({number})</h2><ul>'
    for owner, addresses in report.same_addresses().items():
        named = ", ".join(map(escape, addresses))
        yield f"<li><strong>{escape(owner)}</strong>: {named}</li>"
    if settings := report.same_settings():
        yield f"<li>{settings} settings and other things, which report.json names</li>"
    yield "</ul>"


def _counts(report: Report) -> Iterator[str]:
    yield "<h2>In numbers</h2><table><thead><tr><th></th>"
    yield "".join(f'<th class="number" scope="col">{head}</th>' for head in SHOWN_ORDER)
    yield "</tr></thead><tbody>"
    for name, numbers in report.counts():
        cells = "".join(f'<td class="number">{number}</td>' for number in numbers)
        yield f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'
    yield "</tbody></table>"
    yield from _list(f"<strong>{each}</strong>: {escape(MEANING[each])}" for each in SHOWN_ORDER)


def _signatures(report: Report) -> Iterator[str]:
    yield f"<h2>Read and agreed</h2><p>{escape(AGREED)}</p><table><thead><tr>"
    heads = ("for", "points", "name", "date", "signature")
    yield "".join(f'<th scope="col">{head}</th>' for head in heads)
    yield "</tr></thead><tbody>"
    for owner, number in report.signers():
        cells = f'<td class="number">{number}</td>{"<td class=sign></td>" * 3}'
        yield f'<tr><th scope="row">{escape(owner)}</th>{cells}</tr>'
    yield "</tbody></table>"
