"""
What changed when, and the state of the controller itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ingress.admin.html.cells import since
from ingress.admin.html.frame import panel
from ingress.admin.html.markup import Child, Markup, tag
from ingress.admin.html.words import count, size, span

Value = Mapping[str, Any]


def changes_panel(value: Value, now: datetime) -> Markup:
    """
    :param value: `ingress.admin.changes`.
    :return: what changed when, the last change first.
    """
    if not value["changes"]:
        return panel("changes", "Changes", tag("p", "Nothing has changed since the start."))
    rows = [_change(each, now) for each in value["changes"]]
    head = tag("thead", tag("tr", [tag("th", each, scope="col") for each in ("When", "What")]))
    return panel(
        "changes",
        "Changes",
        tag("table", head, tag("tbody", rows), class_="slim"),
        more=tag("a", "All", href="/changes"),
    )


def _change(change: Value, now: datetime) -> Markup:
    words = [tag("span", each, class_="note") for each in change["changes"]]
    when = tag("td", since(change["at"], now), " ago", class_="side muted")
    return tag(
        "tr",
        when,
        tag("td", f"Snapshot {change['generation']}", words),
        data_key=f"change-{change['generation']}",
    )


def controller_panel(value: Value, now: datetime) -> Markup:
    """:return: source, leader, workers, memory, versions."""
    facts = [(tag("dt", name), tag("dd", shown)) for name, shown in _facts(value, now)]
    return panel("controller", "Controller", tag("dl", facts, class_="facts"))


def _facts(value: Value, now: datetime) -> Iterator[tuple[str, Child]]:
    yield "Version", value["version"]
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
