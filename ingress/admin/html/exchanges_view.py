"""
The last exchanges, with how each of them ended and why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ingress.admin.html.cells import clock, code, lines, outcome, status
from ingress.admin.html.frame import panel
from ingress.admin.html.list_page import Filter
from ingress.admin.html.markup import HOLE, Child, Markup, filled, tag
from ingress.admin.html.tables import Column, Row, table
from ingress.admin.html.words import NOTHING, milliseconds
from ingress.errors import Outcome

TERSE: Final = "wide-table terse"
"""The class of the table: on a phone a row is a few lines without labels."""


def exchange_key(row: Row) -> str:
    """:return: what identifies an exchange."""
    return f"exchange-{row['id']}"


def exchange_columns() -> tuple[Column, ...]:
    """:return: the columns of the table."""
    return (
        Column("Time", lambda row: clock(row["at"]), "nowrap"),
        Column("Status", lambda row: status(row["status"])),
        Column("Request", _request, "whole"),
        Column("Outcome", lambda row: outcome(row["outcome"], row["detail"]), "half"),
        Column("Endpoint", _endpoint, "half"),
        Column("Took", lambda row: milliseconds(row["seconds"]), "number took"),
        Column("Client", lambda row: code(row["client"]), "client"),
    )


def _request(row: Row) -> Child:
    return tag(
        "span",
        tag("span", row["method"], class_="muted"),
        " ",
        tag("code", f"{row['host']}{row['path']}"),
        class_="cut",
        title=f"{row['method']} {row['host']}{row['path']}",
    )


def _endpoint(row: Row) -> Child:
    *failed, last = row["tries"] or [None]
    if last is None:
        return NOTHING
    before = [f"{each['address']} {each['status'] or 'gave up'}" for each in failed]
    return lines(code(last["address"]), f"after {', '.join(before)}" if before else None)


def exchange_panel(rows: Sequence[Row], title: str, empty: str) -> Iterator[Markup]:
    """:return: the panel of the last exchanges, in pieces."""
    if not rows:
        return iter([panel("exchanges", title, tag("p", empty))])
    more = tag("a", "Follow and filter", href="/exchanges")
    around = panel("exchanges", title, HOLE, more=more)
    return filled(around, table(exchange_columns(), rows, class_=TERSE, key=exchange_key))


def exchange_filters() -> tuple[Filter, ...]:
    """:return: the fields of the form above the table."""
    outcomes = (("", "any"), *((str(each), str(each)) for each in Outcome))
    return (
        Filter("host", "Host"),
        Filter("ingress", "Ingress (NAMESPACE/NAME)"),
        Filter("status", "Status (404, 5xx)"),
        Filter("outcome", "Outcome", outcomes),
    )
