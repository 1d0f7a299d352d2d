"""
The patterns of a host in an index, so that a request is compared with few of a thousand.

All paths that a pattern matches begin with the same text, which may be short: ``/something`` for
``/something(/|$)(.*)``. The index finds those patterns whose text a path begins with.

This text also decides between namespaces, and not the length of an expression, which its author can
choose at will: ``/.*|long`` takes no request from the path ``/a`` of another namespace, and
``/a/b.*`` takes as many as the path ``/a/b`` would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush
from time import perf_counter
from typing import Final

from ingress.linear_pattern import TextTooLong
from ingress.policy.context import Captures
from ingress.policy.path_refusal import PathRefusal
from ingress.routing.path_pattern import PathForm, Tail
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


_MAX_KEPT: Final = 4096
"""Paths whose Routes are kept, of all hosts together."""

_MAX_KEPT_PATH: Final = 256
"""The octets of a path whose Route is kept."""

_NOTHING: Final[Captures] = ()


class Match:
    """
    The result of a search: a Route, and what the groups of its pattern match.

    :ivar path: the path that was searched for.
    :ivar route: None if no pattern matches.
    :ivar rule: the Route with the pattern; `route` may be one that refuses the request instead.
    :ivar rewritten: the path that endpoints get instead; None if it has not been made yet.
    """

    __slots__ = ("captures", "path", "rewritten", "route", "rule")

    def __init__(
        self, path: bytes, route: Route | None, captures: Captures, rule: Route | None = None
    ) -> None:
        self.path = path
        self.route = route
        self.captures = captures
        self.rule = route if rule is None else rule
        self.rewritten: bytes | None = None


class _Kept:
    """
    Results of all hosts: clients ask for the same paths again and again.

    They are here and not in the indexes, because there may be thousands of these.

    :ivar last: the result for the request that was routed last, whose captures are asked for next.
    """

    __slots__ = ("last", "matches")

    def __init__(self) -> None:
        self.matches: dict[tuple[object, bytes], Match] = {}
        self.last = Match(b"", None, _NOTHING)


_KEPT: Final = _Kept()


def captures_of(route: Route, path: bytes) -> Captures:
    """
    :param route: a Route that was found for this path.
    :return: what the groups of its pattern match; empty for one without.
    """
    last = last_match(route, path)
    if last is not None:
        return last.captures
    pattern = route.pattern
    return _NOTHING if pattern is None else pattern.captures(path) or _NOTHING


def last_match(route: Route, path: bytes) -> Match | None:
    """:return: the result for this path, if it was the one that was searched for last."""
    last = _KEPT.last
    return last if last.route is route and last.path == path else None


class PatternIndex:
    """
    The Routes of one host by their patterns.

    :param routes: in the order in which they are tried, those of each namespace by themselves; each
        has a pattern.
    :param default: what requests get that no Route matches.
    :ivar is_simple: whether `find` can be used: no Route has conditions or an unknown pattern. Not
        before `candidates` has been used: an index is made when it is first needed, because most
        of those that builds make are replaced before.
    """

    __slots__ = (
        "_ages",
        "_by_beginning",
        "_clock",
        "_default",
        "_has_unknown",
        "_lengths",
        "_routes",
        "_token",
        "is_simple",
    )

    def __init__(
        self,
        routes: Sequence[Route],
        default: Route | None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._default = default
        self._clock = clock
        self._token = object()
        self._routes = routes
        self._by_beginning: dict[bytes, list[tuple[int, Route]]] = {}
        self._lengths: list[int] = []
        self._ages: dict[str, int] = {}
        """The namespaces in their order."""

        self._has_unknown = False
        self.is_simple = False

    def _build(self) -> None:
        is_simple = True
        for order, route in enumerate(self._routes):
            self._ages.setdefault(route.ingress[0], len(self._ages))
            if route.pattern is not None:
                beginning = route.pattern.beginning[:_MAX_BEGINNING]
                self._by_beginning.setdefault(beginning, []).append((order, route))
                if route.pattern.form is PathForm.UNKNOWN:
                    self._has_unknown = True
                if route.conditions or self._has_unknown:
                    is_simple = False
        self._lengths = sorted({len(beginning) for beginning in self._by_beginning})
        self.is_simple = is_simple

    def __repr__(self) -> str:
        return f"<PatternIndex of {len(self._by_beginning)} beginnings>"

    def find(self, path: bytes) -> Route | None:
        """:return: the first of `candidates`, of an index that `is_simple`."""
        key = (self._token, path)
        found = _KEPT.matches.get(key)
        if found is None:
            found = next(self._matches(path), None) or Match(path, None, _NOTHING)
            is_kept = len(path) <= _MAX_KEPT_PATH
            if is_kept and (found.route is None or found.route.pattern is not None):
                if len(_KEPT.matches) >= _MAX_KEPT:
                    _KEPT.matches.clear()
                _KEPT.matches[key] = found
        _KEPT.last = found
        return found.route

    def candidates(self, path: bytes) -> Iterator[Route]:
        """
        Yield every Route whose path matches, in the order in which they are tried.

        A Route that cannot be compared with this path is yielded as one that refuses the request.
        """
        if not self._lengths:
            self._build()
        matching = self._matching(path)
        return self._with_unknown(matching) if self._has_unknown else matching

    def _matching(self, path: bytes) -> Iterator[Route]:
        for match in self._matches(path):
            if match.route is not None:
                yield match.route

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

    def _matches(self, path: bytes) -> Iterator[Match]:
        """Yield what `candidates` does, with captures."""
        possible = self._possible(path)
        if len(self._ages) > 1:
            return self._across_namespaces(path, possible)
        return self._compared(path, possible)

    def _across_namespaces(self, path: bytes, possible: list[tuple[int, Route]]) -> Iterator[Match]:
        """
        Yield the matches of several namespaces: those of each in its own order, and of what is next
        in each of them the most specific one.

        No pattern is compared that would come behind what is yielded, so that one namespace cannot
        use up the time of another.
        """
        of_namespace: dict[str, list[tuple[int, Route]]] = {}
        for item in possible:
            of_namespace.setdefault(item[1].ingress[0], []).append(item)
        heap: list[tuple[_Rank, Match | None, Iterator[Match]]] = []
        for namespace, items in of_namespace.items():
            age = self._ages[namespace]
            best = min(_rank(route, age) for _, route in items)
            heap.append((best, None, self._compared(path, items)))
        bests = {best[2]: best for best, _, _ in heap}
        heapify(heap)
        while heap:
            rank, match, matches = heappop(heap)
            if match is not None:
                yield match
                heappush(heap, (bests[rank[2]], None, matches))
                continue
            match = next(matches, None)
            if match is not None and match.rule is not None:
                heappush(heap, (_rank(match.rule, rank[2]), match, matches))

    def _compared(self, path: bytes, possible: list[tuple[int, Route]]) -> Iterator[Match]:
        """Compare a path with the patterns that it may match."""
        until = 0.0
        for count, (_, route) in enumerate(possible):
            if count % _UNTIMED == _UNTIMED - 1:
                now = self._clock()
                until = until or now + MAX_SECONDS
                if now > until:
                    yield Match(path, refusing(route), _NOTHING, route)
                    return
            pattern = route.pattern
            assert pattern is not None
            try:
                captures = pattern.captures(path)
            except TextTooLong:
                yield Match(path, refusing(route), _NOTHING, route)
            else:
                if captures is not None:
                    yield Match(path, route, captures)

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


_Rank = tuple[int, bool, int]
"""
What sorts the patterns of different namespaces: the length of the text that all matches begin with,
the longest first; whether it is more than one path; the age of the namespace.
"""


def _rank(route: Route, age: int) -> _Rank:
    pattern = route.pattern
    if pattern is None:
        return (0, True, age)
    is_exact = pattern.form is PathForm.EXACT
    length = len(pattern.beginning)
    # All that is below ``/a`` begins with ``/a/``: an expression with this slash is no longer.
    by_segments = pattern.form is PathForm.PREFIX or pattern.tail is Tail.SEGMENT
    if is_exact or (by_segments and not pattern.beginning.endswith(b"/")):
        length += 1
    return (-length, not is_exact, age)


def refusing(route: Route) -> Route:
    """:return: a Route in place of `route`, which refuses all requests."""
    return replace(route, policies=(PathRefusal(),), pattern=None, conditions=(), paths=None)
