"""
The Problems: what is wrong with which object, where it is written, and since when.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from ingress.admin.html.cells import code, place, since
from ingress.admin.html.markup import Child, Markup, join, tag
from ingress.admin.html.tables import Column, Row

_BADGES: Final = {"error": "bad", "differs": "warn", "ignored": "warn"}


def problem_columns(now: datetime) -> tuple[Column, ...]:
    """:return: the columns of a table of Problems."""
    return (
        Column("Code", lambda row: _badge(row)),
        Column("Object", lambda row: join(_subject(row), _note(place(row))), "half"),
        Column("What is wrong", _message, "whole"),
        Column("Since", lambda row: since(row.get("since"), now), "nowrap"),
    )


def short_problem(now: datetime) -> tuple[Column, ...]:
    """:return: one column, for the narrow side of the page."""

    def cell(row: Row) -> Child:
        head = tag(
            "span",
            _badge(row),
            " ",
            _subject(row),
        )
        where = place(row)
        file = tag("span", code(where.rpartition("/")[2]), class_="note", title=where)
        return [head, tag("p", _message(row)), file if where else None]

    return (
        Column("Problem", cell),
        Column("Since", lambda row: ["since ", since(row.get("since"), now)], "note"),
    )


def _badge(row: Row) -> Markup:
    return tag(
        "span",
        row["code"],
        class_=f"badge code {_BADGES.get(row['severity'], '')}",
        title=row["severity"],
    )


def _subject(row: Row) -> Markup:
    if not row["object"]:
        return Markup("")
    kind, _, name = str(row["object"]).partition(" ")
    return join(f"{kind} ", code(name))


def _message(row: Mapping[str, Any]) -> Markup:
    parts: list[Child] = []
    if row["field"]:
        parts += [code(row["field"]), ": "]
    if row["value"]:
        parts += [code(row["value"]), ": "]
    return join(*parts, row["message"])


def _note(words: str) -> Markup | None:
    return tag("span", code(words), class_="note") if words else None
