"""
The patterns of a host in an index, so that a request is compared with few of a thousand.

All paths that a pattern matches begin with the same text, which may be short: ``/something`` for
``/something(/|$)(.*)``. The index finds those patterns whose text a path begins with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Final

from ingress.linear_pattern import TextTooLong
from ingress.policy.path_refusal import PathRefusal
from ingress.routing.path_pattern import PathForm
from ingress.routing.route import Route

_MAX_BEGINNING: Final = 64
"""The octets of a beginning that are looked up: each length that occurs is a look-up."""

MAX_SECONDS: Final = 0.01
"""
How long one path may be compared with regular expressions. Each takes a microsecond, and those
that somebody has made for it up to 5 ms: without a limit, a thousand of them would take seconds.
"""

_UNTIMED: Final = 8
"""So many comparisons are made between two looks at the clock."""


class PatternIndex:
    """
    The Routes of one host by their patterns.

    :param routes: in the order in which they are tried; each has a pattern.
    :param default: what requests get that no Route matches.
    """

    __slots__ = ("_by_beginning", "_clock", "_default", "_has_unknown", "_lengths")

    def __init__(
        self,
        routes: Sequence[Route],
        default: Route | None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._default = default
        self._clock = clock
        self._by_beginning: dict[bytes, list[tuple[int, Route]]] = {}
        self._has_unknown = False
        for order, route in enumerate(routes):
            if route.pattern is not None:
                beginning = route.pattern.beginning[:_MAX_BEGINNING]
                self._by_beginning.setdefault(beginning, []).append((order, route))
                if route.pattern.form is PathForm.UNKNOWN:
                    self._has_unknown = True
        self._lengths = sorted({len(beginning) for beginning in self._by_beginning})

    def __repr__(self) -> str:
        return f"<PatternIndex of {len(self._by_beginning)} beginnings>"

    def candidates(self, path: bytes) -> Iterator[Route]:
        """
        Yield every Route whose path matches, in the order in which they are tried.

        A Route that cannot be compared with this path is yielded as one that refuses the request.
        """
        matching = self._matching(path, self._possible(path))
        return self._with_unknown(matching) if self._has_unknown else matching

    def _possible(self, path: bytes) -> list[tuple[int, Route]]:
        """Find the Routes with a beginning that this path has, with their places in the order."""
        lowered, size = path.lower(), len(path)
        found: list[tuple[int, Route]] = []
        for length in self._lengths:
            if length > size:
                break
            found += self._by_beginning.get(lowered[:length], ())
        if len(found) > 1:
            found.sort(key=_order)
        return found

    def _matching(self, path: bytes, possible: Sequence[tuple[int, Route]]) -> Iterator[Route]:
        until = 0.0
        for count, (_, route) in enumerate(possible):
            if count % _UNTIMED == _UNTIMED - 1:
                now = self._clock()
                until = until or now + MAX_SECONDS
                if now > until:
                    yield refusing(route)
                    return
            pattern = route.pattern
            try:
                if pattern is not None and pattern.captures(path) is not None:
                    yield route
            except TextTooLong:
                yield refusing(route)

    def _with_unknown(self, matching: Iterator[Route]) -> Iterator[Route]:
        """
        Put each Route with an unknown pattern before the next one of its namespace.

        Its requests are not known, so that it closes more than it would match; but nothing that
        another namespace serves.
        """
        unknown: dict[str, Route] = {}
        for route in matching:
            namespace = route.ingress[0]
            if route.pattern is not None and route.pattern.form is PathForm.UNKNOWN:
                unknown.setdefault(namespace, route)
            else:
                yield unknown.get(namespace, route)
        for namespace, route in unknown.items():
            if self._default is None or self._default.ingress[0] == namespace:
                yield route


def _order(item: tuple[int, Route]) -> int:
    return item[0]


def refusing(route: Route) -> Route:
    """:return: a Route in place of `route`, which refuses all requests."""
    return replace(route, policies=(PathRefusal(),), pattern=None, conditions=(), paths=None)
