"""
The resources that have a form in HTML, each with the function that makes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from ingress.admin.html.certificates_view import CERTIFICATE_COLUMNS
from ingress.admin.html.controller_view import change_columns, change_key
from ingress.admin.html.exchanges_view import (
    TERSE,
    exchange_columns,
    exchange_filters,
    exchange_key,
    exchange_panel,
)
from ingress.admin.html.explanation_view import explanation_panel
from ingress.admin.html.frame import document
from ingress.admin.html.list_page import TEXT, Filter, list_document
from ingress.admin.html.markup import HOLE, filled, tag
from ingress.admin.html.overview import overview
from ingress.admin.html.ports_view import PORT_COLUMNS
from ingress.admin.html.problems_view import problem_columns
from ingress.admin.html.routes_view import (
    ENDPOINT_COLUMNS,
    RATE_COLUMNS,
    ROUTE_COLUMNS,
    endpoint_rows,
)
from ingress.admin.html.words import count
from ingress.admin.page import Query
from ingress.admin.representation import Render, Value
from ingress.problem_code import Severity

_STATES: Final = (("", "any"), ("ok", "ok"), ("failing", "failing"), ("ejected", "ejected"))
_SEVERITIES: Final = (("", "any"), *((str(each), str(each)) for each in Severity))


def _given(query: Query, *names: str) -> dict[str, str]:
    """:return: the parameters that stay the same on the other pages of a list."""
    kept = (*names, "text", "limit")
    return {name: query.text(name) for name in kept if name in query}


def _overview(value: Value, query: Query) -> Iterator[bytes]:
    return overview(value)


def _routes(value: Value, query: Query) -> Iterator[bytes]:
    return list_document(
        "/routes",
        "Routes",
        value,
        _given(query, "host"),
        ROUTE_COLUMNS,
        value["routes"],
        filters=(TEXT, Filter("host", "Host is")),
        empty="No rule is like this.",
    )


def _endpoints(value: Value, query: Query) -> Iterator[bytes]:
    return list_document(
        "/endpoints",
        "Endpoints",
        value,
        _given(query, "state"),
        ENDPOINT_COLUMNS,
        (row for upstream in value["endpoints"] for row in endpoint_rows(upstream)),
        filters=(TEXT, Filter("state", "State", _STATES)),
        empty="No Service port is like this.",
    )


def _certificates(value: Value, query: Query) -> Iterator[bytes]:
    return list_document(
        "/certificates",
        "Certificates",
        value,
        _given(query),
        CERTIFICATE_COLUMNS,
        value["certificates"],
        empty="No certificate is like this.",
    )


def _problems(value: Value, query: Query) -> Iterator[bytes]:
    return list_document(
        "/problems",
        "Problems",
        value,
        _given(query, "severity", "code"),
        problem_columns(datetime.now(UTC)),
        value["problems"],
        filters=(TEXT, Filter("severity", "Severity", _SEVERITIES), Filter("code", "Code")),
        empty="No object has a Problem like this.",
    )


def _ports(value: Value, query: Query) -> Iterator[bytes]:
    return list_document(
        "/ports",
        "Ports",
        value,
        _given(query),
        PORT_COLUMNS,
        value["ports"],
        empty="No port of a TCP or UDP service is like this.",
    )


def _changes(value: Value, query: Query) -> Iterator[bytes]:
    return list_document(
        "/changes",
        "Changes",
        value,
        _given(query),
        change_columns(datetime.now(UTC)),
        value["changes"],
        empty="Nothing like this has changed.",
        key=change_key,
        note="the last hundred Snapshots that differ from the one before",
    )


def _rates(value: Value, query: Query) -> Iterator[bytes]:
    return list_document(
        "/rates",
        "Rates",
        value,
        _given(query),
        RATE_COLUMNS,
        value["rules"],
        empty="No rule like this has had requests in the last hour.",
        note=f"{count(value['total'])} rules that had requests in the last hour",
    )


def _exchanges(value: Value, query: Query) -> Iterator[bytes]:
    names = ("host", "ingress", "status", "outcome", "limit")
    return list_document(
        "/exchanges",
        "Exchanges",
        value,
        {name: query.text(name) for name in names if name in query},
        exchange_columns(),
        value["exchanges"],
        filters=exchange_filters(),
        empty="No exchange is like this.",
        key=exchange_key,
        note="the last ones, the newest first",
        pace=1,
        class_=TERSE,
    )


def _explain(value: Value, query: Query) -> Iterator[bytes]:
    title = f"{value['summary']}: {value['request']['url']}"
    rows = value["live"]["exchanges"]
    exchanges = exchange_panel(rows, "Last exchanges of this rule", "No request has come.")
    stacked = tag("div", explanation_panel(value), HOLE, class_="stacked")
    return document("/explain", title, filled(stacked, exchanges), q=value["request"]["url"])


HTML_PAGES: Final[Mapping[str, Render]] = {
    "": _overview,
    "routes": _routes,
    "endpoints": _endpoints,
    "certificates": _certificates,
    "ports": _ports,
    "problems": _problems,
    "explain": _explain,
    "exchanges": _exchanges,
    "changes": _changes,
    "rates": _rates,
}
"""By the name of the resource; the empty one is for ``/``."""
