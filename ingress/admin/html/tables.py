"""
Tables with named columns, and the links between the pages of long ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ingress.admin.html.markup import HOLE, Child, Markup, filled, link, tag
from ingress.admin.html.words import count

Row = Mapping[str, Any]

STEP: Final = 20
"""Rows of one piece: some tenths of a millisecond."""


class Column(NamedTuple):
    """One column."""

    label: str
    """Its name; on a phone it stands above each value."""

    cell: Callable[[Row], Child]
    kind: str = ""
    """The class of its cells: ``number``, or ``whole`` and ``half`` for their width on a phone."""


def table(
    columns: Sequence[Column],
    rows: Iterable[Row],
    *,
    class_: str = "wide-table",
    caption: str | None = None,
    key: Callable[[Row], str] | None = None,
) -> Iterator[Markup]:
    """
    :param key: identifies a row, so that a script can tell which one is new.
    :return: the table in pieces.
    """
    head = tag("tr", [tag("th", each.label, scope="col", class_=each.kind) for each in columns])
    around = tag(
        "div",
        tag(
            "table",
            tag("caption", caption) if caption else None,
            tag("thead", head),
            tag("tbody", HOLE),
            class_=class_,
        ),
        class_="scroll",
    )
    return filled(around, _rows(columns, rows, key))


def _rows(
    columns: Sequence[Column], rows: Iterable[Row], key: Callable[[Row], str] | None
) -> Iterator[Markup]:
    made: list[Markup] = []
    for row in rows:
        cells = [
            tag(
                "th" if index == 0 else "td",
                each.cell(row),
                scope="row" if index == 0 else None,
                class_=each.kind or None,
                data_label=each.label,
            )
            for index, each in enumerate(columns)
        ]
        made.append(tag("tr", cells, data_key=key(row) if key is not None else None))
        if len(made) == STEP:
            yield Markup("".join(made))
            made = []
    yield Markup("".join(made))


def pages(path: str, query: Mapping[str, str], value: Mapping[str, Any]) -> Markup | None:
    """
    :param query: the parameters that stay the same.
    :param value: with ``total``, ``offset`` and ``limit``.
    :return: the links to the other pages of a long list; None if there is only one.
    """
    total, offset, limit = value["total"], value["offset"], value["limit"]
    if total <= limit and not offset:
        return None
    kept = {name: each for name, each in query.items() if name != "offset"}
    last = min(offset + limit, total)
    shown = f"{count(offset + 1)} to {count(last)} of {count(total)}" if last > offset else "none"
    before = after = None
    if offset:
        target = link(path, **kept, offset=max(0, offset - limit) or None)
        before = tag("a", "Previous", href=target, rel="prev", class_="button")
    if offset + limit < total:
        target = link(path, **kept, offset=offset + limit)
        after = tag("a", "Next", href=target, rel="next", class_="button")
    return tag(
        "nav",
        before,
        after,
        tag("span", shown, class_="muted"),
        class_="pages",
        aria_label="Pages of this list",
    )
