"""
The ports of TCP and UDP services.
"""

from __future__ import annotations

from typing import Final

from ingress.admin.html.cells import code
from ingress.admin.html.tables import Column, Row
from ingress.admin.html.words import NOTHING

PORT_COLUMNS: Final = (
    Column("Port", lambda row: code(f"{row['address']}:{row['port']}"), "whole"),
    Column("Protocol", lambda row: row["protocol"], "half"),
    Column("Service", lambda row: code(row["upstream"]), "half"),
    Column("Endpoints", lambda row: _endpoints(row), "half"),
    Column("PROXY protocol", lambda row: _proxy(row), "half"),
    Column("From", lambda row: row["source"], "half"),
)

_SHOWN: Final = 3
"""Endpoints that are shown; the others are counted."""


def _endpoints(row: Row) -> str:
    found = row["endpoints"]
    more = len(found) - _SHOWN
    text = ", ".join(found[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return text or NOTHING


def _proxy(row: Row) -> str:
    proxy = row["proxyProtocol"]
    ways = [way for way, key in (("from clients", "in"), ("to endpoints", "out")) if proxy[key]]
    return ", ".join(ways) or NOTHING
