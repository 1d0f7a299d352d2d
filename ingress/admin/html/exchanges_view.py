"""
The last exchanges, with how each of them ended and why.
"""

from __future__ import annotations

from ingress.admin.html.cells import clock, code, status
from ingress.admin.html.explanation_view import outcome
from ingress.admin.html.markup import Child, tag
from ingress.admin.html.tables import Column, Row
from ingress.admin.html.words import NOTHING, milliseconds


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
        Column("Took", lambda row: milliseconds(row["seconds"]), "number"),
        Column("Client", lambda row: code(row["client"]), "half"),
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
    return code(row["endpoint"]) or NOTHING
