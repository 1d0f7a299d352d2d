"""
Requests a second, share of errors and times of the last hour, of all requests and of each rule.

::

    TrafficTotals.merge ─► Rates.add: tallies of now ─► tick ─► points of the last hour

The counts come from the histograms of the metrics, which exist anyway. Times are estimated from
their buckets as Prometheus does, so they are as exact as the bounds are close.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from operator import add
from typing import Final, NamedTuple

from ingress.routing.route import RouteLabels
from ingress.steps import STRIDE, Steps
from ingress.telemetry.histogram import DURATIONS, REQUESTS
from ingress.telemetry.traffic import NO_ROUTE, TrafficCounts

TICK: Final = 10.0
"""Seconds between two calls of `Rates.tick`."""

TICKS_OF_POINT: Final = 2
POINTS: Final = 180
"""Points of the last hour, of all requests: one for every 20 seconds."""

TICKS_OF_MINUTE: Final = 6
MINUTES: Final = 60
"""Points of the last hour, of a rule."""

MAX_RULES: Final = 5000
"""Rules that have points: some 6 MB. Requests of further ones are counted among all."""

_FIRST: Final = 2
_SIZE: Final = _FIRST + len(DURATIONS) + 1
"""The length of a tally: requests, errors, and the requests by the buckets of `DURATIONS`."""

_FIELDS: Final = 4
_NOTHING: Final = float("nan")

Tally = list[int]


class Rate(NamedTuple):
    """What is known of the requests of a period."""

    rate: float
    """Requests a second."""

    errors: float | None
    """The share of those with a status of 500 or above; None without requests, as what follows."""

    p50: float | None
    """Seconds within which half of them were answered."""

    p99: float | None


class _Points:
    """The points of one rule: a ring with a place for each minute."""

    __slots__ = ("_values", "last")

    def __init__(self, minute: int) -> None:
        self._values = array("f", [0.0, _NOTHING, _NOTHING, _NOTHING] * MINUTES)
        self.last = minute
        """The last minute that has requests."""

    def put(self, minute: int, rate: Rate) -> None:
        """Write a point; the minutes since the last one had no requests."""
        for between in range(self.last + 1, min(minute, self.last + MINUTES)):
            self._write(between, Rate(0.0, None, None, None))
        self._write(minute, rate)
        self.last = minute

    def _write(self, minute: int, rate: Rate) -> None:
        place = minute % MINUTES * _FIELDS
        for index, value in enumerate(rate):
            self._values[place + index] = _NOTHING if value is None else value

    def at(self, minute: int) -> Rate:
        """:return: the point of one of the last `MINUTES` minutes."""
        if not self.last - MINUTES < minute <= self.last:
            return Rate(0.0, None, None, None)
        place = minute % MINUTES * _FIELDS
        rate, *others = self._values[place : place + _FIELDS]
        errors, p50, p99 = (None if value != value else value for value in others)
        return Rate(rate, errors, p50, p99)


class Rates:
    """The rates of one proxy, with all its processes."""

    def __init__(self) -> None:
        self._all: Tally = [0] * _SIZE
        """All requests since the last tick."""

        self._ticks: deque[Tally] = deque(maxlen=TICKS_OF_POINT)
        self._points: deque[Rate] = deque(maxlen=POINTS)
        self._now: dict[RouteLabels, Tally] = {}
        """The requests of each rule in this minute."""

        self._rules: dict[RouteLabels, _Points] = {}
        self._count = 0
        self._minute = 0

    def __repr__(self) -> str:
        return f"<Rates of {len(self._rules)} rules>"

    def add(self, counts: TrafficCounts) -> None:
        """Add what a process has counted."""
        every, now = self._all, self._now
        for (labels, _, status), row in counts.rows.items():
            buckets = [*map(int, REQUESTS.buckets(row))]
            requests = sum(buckets)
            found = [requests, requests if status.startswith("5") else 0, *buckets]
            every[:] = map(add, every, found)
            rule = labels._replace(canary="") if labels.canary else labels
            tally = now.get(rule)
            if tally is not None:
                tally[:] = map(add, tally, found)
            elif len(now) < MAX_RULES:
                now[rule] = found
        every[0] += counts.overflow

    def tick(self) -> Steps[None]:
        """End a period of `TICK` seconds; to be finished before the next one."""
        self._ticks.append(self._all)
        self._all = [0] * _SIZE
        self._count += 1
        if self._count % TICKS_OF_POINT == 0:
            self._points.append(self.current())
        if self._count % TICKS_OF_MINUTE == 0:
            yield from self._end_minute()

    def _end_minute(self) -> Steps[None]:
        minute, tallies = self._minute, self._now
        self._minute, self._now = minute + 1, {}
        for count, (rule, points) in enumerate(tuple(self._rules.items())):
            if points.last <= minute - MINUTES and rule not in tallies:
                del self._rules[rule]
            if count % STRIDE == STRIDE - 1:
                yield
        for count, (rule, tally) in enumerate(tallies.items()):
            known = self._rules.get(rule)
            if known is None and len(self._rules) < MAX_RULES:
                known = self._rules[rule] = _Points(minute)
            if known is not None:
                known.put(minute, _rate(tally, TICKS_OF_MINUTE * TICK))
            if count % STRIDE == STRIDE - 1:
                yield

    # Reading.

    def current(self) -> Rate:
        """:return: the rate of all requests in the last complete periods."""
        if not self._ticks:
            return Rate(0.0, None, None, None)
        total = [sum(column) for column in zip(*self._ticks, strict=True)]
        return _rate(total, len(self._ticks) * TICK)

    def history(self) -> list[Rate]:
        """:return: the points of all requests, the oldest first."""
        return list(self._points)

    def of(self, rule: RouteLabels) -> tuple[Rate, list[Rate]]:
        """
        :param rule: the labels of a rule.
        :return: its rate now, and that of each minute of the last hour since the start, the oldest
            first; empty for a rule without requests in that time.
        """
        points, tally = self._rules.get(rule), self._now.get(rule)
        ticks = self._count % TICKS_OF_MINUTE
        first = max(self._minute - MINUTES, 0)
        if points is None:
            history = []
        else:
            history = [points.at(minute) for minute in range(first, self._minute)]
        if tally is not None and ticks:
            return _rate(tally, ticks * TICK), history
        last = points.at(self._minute - 1) if points is not None else None
        return last or Rate(0.0, None, None, None), history

    def rules(self) -> Iterator[RouteLabels]:
        """Yield the rules that had requests in the last hour, those that match no rule excepted."""
        known = dict.fromkeys((*self._rules, *self._now))
        return (rule for rule in known if rule != NO_ROUTE)


def _rate(tally: Tally, seconds: float) -> Rate:
    requests, errors, *buckets = tally
    if not requests:
        return Rate(0.0, None, None, None)
    return Rate(
        requests / seconds, errors / requests, quantile(buckets, 0.5), quantile(buckets, 0.99)
    )


def quantile(buckets: list[int], share: float) -> float | None:
    """
    Estimate a quantile as Prometheus's ``histogram_quantile`` does.

    :param buckets: the requests by `DURATIONS`, not cumulated; the last bucket has no bound.
    :param share: such as 0.99.
    :return: in seconds; the last bound for what is beyond it; None without requests.
    """
    total = sum(buckets)
    if not total:
        return None
    rank, before = share * total, 0
    for index, bound in enumerate(DURATIONS):
        if before + buckets[index] >= rank:
            begin = DURATIONS[index - 1] if index else 0.0
            return begin + (bound - begin) * (rank - before) / buckets[index]
        before += buckets[index]
    return DURATIONS[-1]
