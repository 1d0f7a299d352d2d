"""
The certificates, the first that ends first.
"""

from __future__ import annotations

from typing import Final

from ingress.admin.html.cells import code, expiry, lines
from ingress.admin.html.markup import Child, tag
from ingress.admin.html.tables import Column, Row
from ingress.admin.html.words import NOTHING

_NAMES: Final = 3
"""Names of a certificate that are shown; the others are counted."""

CERTIFICATE_COLUMNS: Final = (
    Column("Host", lambda row: code(row["host"]), "whole"),
    Column("Valid for", lambda row: expiry(row["daysLeft"]), "nowrap half"),
    Column("Until", lambda row: _day(row["notAfter"]), "nowrap half"),
    Column("Secret", lambda row: code(row["secret"]), "half"),
    Column("Names", lambda row: _names(row), "half"),
    Column("Issuer", lambda row: row["issuer"] or NOTHING, "half"),
    Column("Key", lambda row: row["keyAlgorithm"] or NOTHING, "half"),
)


def _short(row: Row) -> Child:
    return lines(code(row["host"]), f"{row['secret'] or 'no Secret'}, until {row['notAfter'][:10]}")


SHORT_CERTIFICATE: Final = (
    Column("Valid for", lambda row: expiry(row["daysLeft"]), "side"),
    Column("Host", _short),
)
"""For the narrow side of the page."""


def _day(written: str) -> Child:
    return tag("time", written[:10], datetime=written, title=written)


def _names(row: Row) -> str:
    names = row["names"]
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more} more" if more > 0 else "")
