"""
The page at ``/``: everything at a glance, and the answer to a search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from ingress.admin.html.certificates_view import SHORT_CERTIFICATE
from ingress.admin.html.controller_view import changes_panel, controller_panel
from ingress.admin.html.exchanges_view import exchange_panel
from ingress.admin.html.explanation_view import explanation_panel, refusal_panel
from ingress.admin.html.figures import figures
from ingress.admin.html.frame import document, panel
from ingress.admin.html.map_view import map_panel
from ingress.admin.html.markup import HOLE, Child, Markup, filled, link, tag
from ingress.admin.html.problems_view import short_problem
from ingress.admin.html.tables import Column, Row, table
from ingress.admin.html.words import count, moment

PACE: Final = 2
"""Seconds between two looks at the traffic."""

EXCHANGES: Final = 12
"""Exchanges that the page shows."""

Value = Mapping[str, Any]


def overview(value: Value) -> Iterator[bytes]:
    """
    :param value: `ingress.admin.overview`.
    :return: the page.
    """
    q = value["q"]
    return document("/", _title(value), _content(value), q=q, pace=PACE)


def _title(value: Value) -> str:
    explanation = value["explanation"]
    if explanation is not None:
        return f"{explanation['summary']}: {explanation['request']['url']}"
    return f"{value['q']}" if value["q"] else "Overview"


def _content(value: Value) -> Iterator[Markup]:
    now = moment(value["now"])
    assert now is not None
    if value["explanation"] is not None:
        yield tag("div", explanation_panel(value["explanation"]), class_="above")
    elif value["refusal"]:
        yield tag("div", refusal_panel(value["refusal"]), class_="above")
    yield figures(value)
    columns = tag("div", tag("div", HOLE), tag("div", *_side(value, now)), class_="columns")
    yield from filled(columns, _middle(value))


def _middle(value: Value) -> Iterator[Markup]:
    yield from map_panel(value["map"], value["q"])
    explanation = value["explanation"]
    if explanation is not None and explanation["ingress"] is not None:
        rows = explanation["live"]["exchanges"][:EXCHANGES]
        yield from exchange_panel(rows, "Last exchanges of this rule", "No request has come.")
    else:
        rows = value["exchanges"]["exchanges"]
        yield from exchange_panel(rows, "Last exchanges", "No request has come.")


def _side(value: Value, now: datetime) -> Iterator[Child]:
    problems = value["problems"]
    yield _short(
        "problems",
        "Problems",
        problems["problems"],
        problems["total"],
        short_problem(now),
        "No object has a Problem.",
    )
    certificates = value["certificates"]
    yield _short(
        "certificates",
        "Certificates",
        certificates["certificates"],
        certificates["total"],
        SHORT_CERTIFICATE,
        "No host has a certificate.",
    )
    yield changes_panel(value["changes"], now)
    yield controller_panel(value["controller"], now)


def _short(
    name: str,
    title: str,
    rows: list[Row],
    total: int,
    columns: Iterable[Column],
    empty: str,
) -> Markup:
    """:return: the first rows of a list that has a page of its own."""
    more = tag("a", f"All {count(total)}", href=link(f"/{name}")) if total > len(rows) else None
    if not rows:
        return panel(name, title, tag("p", empty))
    made = Markup("".join(table(tuple(columns), rows, class_="slim")))
    return panel(name, title, made, note=count(total), more=more)
