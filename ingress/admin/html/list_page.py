"""
The pages of long lists: ``/routes``, ``/endpoints``, ``/certificates``, ``/problems``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ingress.admin.html.frame import PACE, document, panel
from ingress.admin.html.markup import HOLE, Child, Markup, filled, tag
from ingress.admin.html.tables import Column, Row, pages, table
from ingress.admin.html.words import count


class Filter:
    """
    One field of the form above a list.

    :param choices: the values that are accepted, each with its name; None for free text.
    """

    def __init__(
        self, name: str, label: str, choices: Sequence[tuple[str, str]] | None = None
    ) -> None:
        self.name = name
        self.label = label
        self.choices = choices

    def shown(self, value: str) -> Markup:
        """:param value: as it is at present."""
        if self.choices is None:
            field = tag(
                "input",
                type="search",
                name=self.name,
                value=value,
                maxlength=1024,
                spellcheck="false",
                autocomplete="off",
            )
        else:
            options = [
                tag("option", name, value=each, selected=each == value)
                for each, name in self.choices
            ]
            field = tag("select", options, name=self.name)
        return tag("label", self.label, field)


TEXT = Filter("text", "Contains")


def filter_form(path: str, filters: Sequence[Filter], query: Mapping[str, str]) -> Markup:
    """:return: a form that works without scripts."""
    fields = [each.shown(query.get(each.name, "")) for each in filters]
    return tag(
        "form",
        fields,
        tag("button", "Filter", type="submit"),
        class_="filters",
        action=path,
        method="get",
        data_live=True,
    )


def list_document(
    path: str,
    title: str,
    value: Mapping[str, Any],
    query: Mapping[str, str],
    columns: Sequence[Column],
    rows: Iterable[Row],
    *,
    filters: Sequence[Filter] = (TEXT,),
    empty: str = "Nothing is here.",
    key: Callable[[Row], str] | None = None,
    note: Child = None,
    pace: int = PACE,
    class_: str = "wide-table",
) -> Iterator[bytes]:
    """
    :param value: with ``total``, ``offset`` and ``limit``.
    :param query: the parameters of the request.
    :param empty: said if there are no rows.
    :param note: stands beside the title, in place of the number of rows.
    :param pace: see `document`.
    :return: a page with a form and a table.
    """
    name = path.strip("/")
    total = value.get("total", len(value.get(name, ())))
    around = panel(
        name,
        title,
        filter_form(path, filters, query),
        HOLE,
        pages(path, query, value) if "total" in value else None,
        note=f"{count(total)} in all" if note is None else note,
    )
    content = table(columns, rows, class_=class_, key=key) if total else iter([tag("p", empty)])
    return document(path, title, filled(around, content), pace=pace)
