"""
What the admin listener answers with: pages, the requests for them, and their content.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a page."""

    media_type: bytes
    pieces: Iterator[bytes]
    """The body, as `Stream` takes it."""

    fields: tuple[tuple[bytes, bytes], ...] = ()
    """Further fields of the answer."""


@dataclass(frozen=True, slots=True)
class LiveContent:
    """The content of a page that goes on until the client leaves."""

    media_type: bytes
    next: Callable[[], Coroutine[Any, Any, bytes]]
    """Makes what comes next, once a second; empty if there is nothing new."""

    heartbeat: bytes = b"\n"
    """What a client gets now and then while there is nothing new."""

    ended: Callable[[], None] = lambda: None
    """Called once, when the client is gone."""


class PageError(Exception):
    """
    A page cannot answer this request.

    :param detail: the line of the answer.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Query:
    """
    The parameters of a request.

    :param values: the values by name, in their order.
    """

    def __init__(self, values: Mapping[str, Sequence[str]] | None = None) -> None:
        self._values = dict(values or {})

    def __repr__(self) -> str:
        return f"<Query {self._values}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Query) and other._values == self._values

    __hash__ = None  # type: ignore[assignment]

    def __contains__(self, name: str) -> bool:
        return name in self._values

    @property
    def key(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The same for equal queries, in whatever order their names came; it can be hashed."""
        return tuple(sorted((name, tuple(values)) for name, values in self._values.items()))

    def all(self, name: str) -> tuple[str, ...]:
        """:return: every value of a parameter."""
        return tuple(self._values.get(name, ()))

    def text(self, name: str, otherwise: str = "") -> str:
        """:return: the value of a parameter."""
        values = self._values.get(name)
        return values[-1] if values else otherwise

    def number(self, name: str, otherwise: int, most: int) -> int:
        """
        :param most: the largest number that is accepted; the smallest is 0.
        :raises PageError: if it is no such number.
        """
        written = self.text(name, str(otherwise))
        is_number = written.isascii() and written.isdigit() and len(written) <= len(str(most))
        if not is_number or int(written) > most:
            raise PageError(400, f"{name}: a whole number from 0 to {most} is accepted")
        return int(written)

    def choice(self, name: str, *accepted: str) -> str:
        """
        :param accepted: the values; the first one is that of a request without the parameter.
        :raises PageError: for another value.
        """
        written = self.text(name, accepted[0])
        if written not in accepted:
            raise PageError(400, f"{name}: {', '.join(filter(None, accepted))} is accepted")
        return written


class PageRequest(NamedTuple):
    """A request for a page."""

    query: Query = Query()
    accept: bytes | None = None
    """The field Accept, if there is one."""


Answer = Callable[[PageRequest], Coroutine[Any, Any, Content | LiveContent]]
"""Makes the content of a page; a PageError becomes an error response."""


class Page(NamedTuple):
    """One page."""

    answer: Answer
    parameters: frozenset[str] | None = frozenset()
    """The parameters that it knows; None if it ignores those that it does not know."""

    repeatable: frozenset[str] = frozenset()
    """Those of them that may be given more than once."""

    forms: tuple[str, ...] = ()
    """
    The media types between which the field Accept chooses; empty if there is one. Answers to equal
    queries in the same form are the same at the same moment.
    """

    is_live: Callable[[Query], bool] = lambda query: False
    """Whether the answer to a query may be `LiveContent`, which is for its client alone."""

    def read_query(self, given: Mapping[bytes, Sequence[bytes]]) -> Query:
        """
        :param given: the values by name.
        :raises PageError: for a parameter that the page does not know.
        """
        query = {
            name.decode("utf-8", "replace"): [value.decode("utf-8", "replace") for value in values]
            for name, values in given.items()
        }
        if self.parameters is None:
            return Query()
        accepted = ", ".join(sorted(self.parameters))
        explained = f"accepted are {accepted}" if accepted else "none is accepted here"
        for name, values in query.items():
            if name not in self.parameters:
                # The name itself is not repeated: anybody may have made it up.
                raise PageError(400, f"a parameter is unknown; {explained}")
            if len(values) > 1 and name not in self.repeatable:
                raise PageError(400, f"{name} is given twice; {explained}")
        return Query(query)
