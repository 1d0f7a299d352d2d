"""
The last exchanges: for ``/exchanges``, once or as they come.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ingress.admin.page import PageError, Query
from ingress.errors import Outcome
from ingress.telemetry.exchange_rows import (
    MOST_ROWS,
    ExchangeQuestion,
    Place,
    Wanted,
    together,
)
from ingress.telemetry.observed_proxy import Reports

PARAMETERS: Final = frozenset({"follow", "host", "ingress", "limit", "outcome", "status"})

ROWS: Final = 100
"""The number of rows unless another one is asked for."""

_STATUS: Final = re.compile("[1-5](xx|[0-9][0-9])")


def wanted_of(query: Query) -> Wanted:
    """
    :return: the exchanges that a query is about.
    :raises PageError: if a parameter is wrong.
    """
    status = query.text("status")
    if status and not _STATUS.fullmatch(status):
        raise PageError(400, "status: a status such as 404 or a class such as 4xx is accepted")
    return Wanted(
        host=query.text("host").lower(),
        ingress=query.text("ingress"),
        status=status,
        outcome=query.choice("outcome", "", *map(str, Outcome)),
        limit=query.number("limit", ROWS, MOST_ROWS),
    )


def is_followed(query: Query) -> bool:
    """
    :return: whether new exchanges are asked for as they come.
    :raises PageError: if the parameter is wrong.
    """
    return query.choice("follow", "false", "true") == "true"


class Following:
    """
    Reads the exchanges as they come.

    :param reports: read the processes.
    :param wanted: which exchanges; with how many rows of each process at a time.
    """

    def __init__(self, reports: Reports, wanted: Wanted) -> None:
        self._reports = reports
        self._wanted = wanted
        self._places: dict[int, Place] | None = None

    def __repr__(self) -> str:
        return f"<Following {self._wanted}>"

    async def next(self) -> Sequence[Mapping[str, Any]]:
        """
        :return: those since the last call, the oldest first; at the first call the last ones that
            there are. ``{"missed": 7}`` stands for those that are not shown.
        """
        places = self._places
        parts = await self._reports.exchanges(ExchangeQuestion(self._wanted, places))
        # A process that did not answer in time may do so next time.
        self._places = {**(places or {}), **{part.process: part.place for part in parts}}
        rows: list[Mapping[str, Any]] = [
            *reversed(together(parts, self._wanted.limit * max(len(parts), 1)))
        ]
        missed = sum(part.missed for part in parts)
        return [{"missed": missed}, *rows] if missed else rows
