"""
The rules, and the Service ports with their endpoints, as long tables.
"""

from __future__ import annotations

from typing import Final

from ingress.admin.html.cells import code, explained, lines, place, state
from ingress.admin.html.markup import Child, link, tag
from ingress.admin.html.tables import Column, Row
from ingress.admin.html.trends import request_trend, time_trend
from ingress.admin.html.words import NOTHING, count, quantile, rate, share


def _path(row: Row) -> Child:
    if row["host"].startswith("*"):
        return code(row["path"])
    return explained(row["host"], row["path"], code(row["path"]))


def _service(row: Row) -> Child:
    if not row["upstream"]:
        return "no Service"
    return tag("a", code(row["upstream"]), href=link("/endpoints", text=row["upstream"]))


ROUTE_COLUMNS: Final = (
    Column(
        "Host",
        lambda row: tag("a", code(row["host"]), href=link("/routes", host=row["host"])),
        "whole",
    ),
    Column("Path", lambda row: lines(_path(row), row["type"]), "half"),
    Column("Service", _service, "half"),
    Column("Ingress", lambda row: lines(code(row["ingress"]), place(row)), "half"),
    Column("Features", lambda row: ", ".join(row["features"]) or NOTHING, "half"),
)


RATE_COLUMNS: Final = (
    Column("Host", lambda row: code(row["host"]), "half"),
    Column("Path", lambda row: lines(_path(row), row["ingress"]), "half"),
    Column("Req/s", lambda row: rate(row["rate"]), "number"),
    Column("Errors", lambda row: share(row["errors"]), "number"),
    Column("p50", lambda row: quantile(row["p50"]), "number"),
    Column("p99", lambda row: quantile(row["p99"]), "number"),
    Column("Last hour: requests, errors", lambda row: _requests(row), "whole"),
    Column("Last hour: p50, p99", lambda row: _times(row), "whole"),
)


def _requests(row: Row) -> Child:
    return request_trend(row["history"], f"{row['host']}{row['path']}")


def _times(row: Row) -> Child:
    return time_trend(row["history"], f"{row['host']}{row['path']}")


def endpoint_rows(row: Row) -> list[Row]:
    """:return: a row for each endpoint of a Service port, or one that says that it has none."""
    name = {"service": row["service"], "fault": row["fault"], "healthCheck": row["healthCheck"]}
    shown: list[Row] = [{**name, **each} for each in row["endpoints"]]
    return shown or [{**name, "address": None, "state": None, "inFlight": None}]


def _condition(row: Row) -> Child:
    if row["state"] is None:
        return tag("span", row["fault"] or "no endpoint", class_="state bad")
    draining = ", terminating" if row["terminating"] else None
    return [state(row["state"]), draining]


ENDPOINT_COLUMNS: Final = (
    Column("Service", lambda row: lines(code(row["service"]), row["healthCheck"]), "whole"),
    Column("Endpoint", lambda row: code(row["address"]) or NOTHING, "half"),
    Column("State", _condition),
    Column("In flight", lambda row: count(row["inFlight"]), "number"),
)
