"""
Long lists by the page, and the filter of their rows by text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from ingress.admin.page import Query
from ingress.steps import STRIDE, Steps

T = TypeVar("T")

Row = Mapping[str, Any]

MAX_ROWS: Final = 1000
"""The most rows of a page: making them takes some 10 ms."""

PAGING: Final = frozenset({"limit", "offset", "text"})
"""The parameters of every long list."""

_ROWS: Final = 100
_ROWS_A_STEP: Final = 50
"""Rows that are made in one step: half a millisecond."""

_FARTHEST: Final = 100_000_000


class Window(NamedTuple):
    """The rows that are asked for."""

    offset: int = 0
    """The number of rows before the first one."""

    limit: int = _ROWS
    text: str = ""
    """What all of them contain, in lower case."""

    @classmethod
    def of(cls, query: Query) -> Window:
        """
        Read the parameters of `PAGING`.

        :raises PageError: if a number is wrong.
        """
        return cls(
            query.number("offset", 0, _FARTHEST),
            query.number("limit", _ROWS, MAX_ROWS),
            query.text("text").lower(),
        )

    def contains(self, *words: str) -> bool:
        """:return: whether one of the words contains the text, in upper or lower case."""
        return not self.text or any(self.text in word.lower() for word in words)


def page_steps(
    name: str,
    window: Window,
    items: Iterable[T | None],
    make_row: Callable[[T], Row],
) -> Steps[dict[str, Any]]:
    """
    Make the page of a long list.

    :param name: that of the rows in the result.
    :param items: those that the query is for; None stands for one that it is not for.
    :param make_row: makes the row of an item; it is called for those on the page alone.
    """
    rows: list[Row] = []
    total = 0
    for count, item in enumerate(items):
        if item is not None:
            if window.offset <= total < window.offset + window.limit:
                rows.append(make_row(item))
                if len(rows) % _ROWS_A_STEP == 0:
                    yield
            total += 1
        if count % STRIDE == STRIDE - 1:
            yield
    return {"total": total, "offset": window.offset, "limit": window.limit, name: rows}


def filtered(items: Iterable[T], fits: Callable[[T], bool]) -> Iterator[T | None]:
    """:return: the items, with None in the place of each one that does not fit."""
    return (item if fits(item) else None for item in items)
