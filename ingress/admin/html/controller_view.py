"""
What changed when, and the state of the controller itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ingress.admin.html.cells import since
from ingress.admin.html.frame import panel
from ingress.admin.html.markup import Child, Markup, join, tag
from ingress.admin.html.tables import Column, Row, table
from ingress.admin.html.words import count, size, span

Value = Mapping[str, Any]

LINES: Final = 3
"""Lines of a change on the narrow side of the page."""


def changes_panel(value: Value, now: datetime) -> Markup:
    """
    :param value: `ingress.admin.changes`.
    :return: what changed when, the last change first; of each change the first lines.
    """
    changes = value["changes"]
    if not changes:
        return panel("changes", "Changes", tag("p", "Nothing has changed since the start."))
    columns = (
        Column("When", lambda row: [since(row["at"], now), " ago"], "side muted"),
        Column("What", lambda row: change_lines(row, LINES)),
    )
    more = tag("a", f"All {count(value['total'])}", href="/changes")
    made = Markup("".join(table(columns, changes, class_="slim", key=change_key)))
    return panel("changes", "Changes", made, more=more if value["total"] > len(changes) else None)


def change_columns(now: datetime) -> tuple[Column, ...]:
    """:return: the columns of the table of all changes."""
    return (
        Column("Snapshot", lambda row: _snapshot(row), "nowrap"),
        Column("When", lambda row: [since(row["at"], now), " ago"], "nowrap"),
        Column("What changed", lambda row: change_lines(row), "whole"),
    )


def change_key(row: Row) -> str:
    """:return: what identifies a change."""
    return f"change-{row['generation']}"


def change_lines(row: Row, most: int | None = None) -> Markup:
    """:param most: the number of lines that are shown; the others are counted."""
    lines: Sequence[str] = row["changes"]
    shown = [tag("li", each) for each in lines[:most]]
    left = len(lines) - len(shown) + row["more"]
    if left:
        shown.append(tag("li", f"and {count(left)} more", class_="muted"))
    warning = None
    if row["opens"]:
        warning = tag("span", "may open access", class_="state warn")
    if not shown:
        return tag("span", "nothing that clients notice", class_="muted")
    return join(warning, tag("ul", shown, class_="changes"))


def _snapshot(row: Row) -> str:
    first, last = row["first"], row["generation"]
    return str(last) if first == last else f"{first} to {last}"


def controller_panel(value: Value, now: datetime) -> Markup:
    """:return: source, leader, workers, memory, versions."""
    facts = [(tag("dt", name), tag("dd", shown)) for name, shown in _facts(value, now)]
    return panel("controller", "Controller", tag("dl", facts, class_="facts"))


def _facts(value: Value, now: datetime) -> Iterator[tuple[str, Child]]:
    yield "Version", value["version"]
    yield "Runs on", ", ".join(f"{name} {version}" for name, version in value["versions"].items())
    yield "Snapshot", [f"{value['generation']}, ", since(value["publishedAt"], now), " ago"]
    yield "Source", _source(value)
    if value["leader"] is not None:
        yield "Leader", "this replica" if value["leader"] else "another replica"
    yield "Workers", _workers(value)
    yield "Memory", size(value["memory"])
    if value["foreign"]:
        classes: Sequence[str] = [
            f"{name or '(no class)'} {amount}" for name, amount in value["foreign"].items()
        ]
        yield "Not ours", f"Ingresses of other classes: {', '.join(classes)}"
    if value["mistakes"]:
        words = "the file has mistakes; what was read before them is in force"
        yield "Configuration", tag("span", words, class_="state bad")


def _source(value: Value) -> Child:
    ages: Mapping[str, float] = value["sourceAges"]
    if not ages:
        return "files"
    oldest = max(ages, key=lambda kind: ages[kind])
    words = f"the API server, {span(ages[oldest])} ago at most ({oldest})"
    return words if ages[oldest] < 60 else tag("span", words, class_="state warn")


def _workers(value: Value) -> Child:
    workers, lost = value["processes"] - 1, value["lostWorkers"]
    words: Child = "one process serves" if workers < 1 else f"{count(workers)} serve"
    if not lost:
        return words
    return [words, ", ", tag("span", f"{lost} lost since the start", class_="state warn")]
