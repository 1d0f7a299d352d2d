"""
The last exchanges of a process as plain values, for people who look (`exchange_ring`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from ingress.errors import Outcome
from ingress.routing.route import RouteLabels
from ingress.telemetry.exchange_ring import SIZE, ExchangeRing
from ingress.telemetry.record import AttemptRecord, ExchangeRecord
from ingress.telemetry.recorder import Recorder

MOST_ROWS: Final = 500
"""Rows that one process makes at once: a few milliseconds."""

_MAX_SHOWN: Final = 256
"""Characters of a path or host that are shown."""

_OK: Final = Outcome.OK


class Place(NamedTuple):
    """How far the exchanges of a process have been read: how many each of its rings has got."""

    answered: int = 0
    unanswered: int = 0


class Wanted(NamedTuple):
    """Which exchanges are asked for; it can be pickled. What is empty matches all."""

    host: str = ""
    """The host of the request, or that of the rule."""

    ingress: str = ""
    """NAMESPACE/NAME."""

    status: str = ""
    """``404``, or a class: ``4xx``."""

    outcome: str = ""
    rule: RouteLabels | None = None
    limit: int = 100
    """The most rows, of each process."""

    def matches(self, record: ExchangeRecord) -> bool:
        """:return: whether an exchange is asked for."""
        route = record.route
        if self.rule is not None and (route is None or not _is_same(self.rule, route.labels)):
            return False
        if self.outcome and record.outcome != self.outcome:
            return False
        if self.status and not _has_status(record.status, self.status):
            return False
        if self.ingress and (route is None or "/".join(route.ingress) != self.ingress):
            return False
        if not self.host:
            return True
        return _text(record.host) == self.host or (route is not None and route.host == self.host)


def _is_same(rule: RouteLabels, other: RouteLabels) -> bool:
    """:return: whether both are of one rule, whichever of its canaries got the request."""
    return rule == other or rule._replace(canary="") == other._replace(canary="")


def _has_status(status: int, wanted: str) -> bool:
    return str(status) == wanted or (wanted.endswith("xx") and wanted[:1] == str(status)[:1])


class ExchangeQuestion(NamedTuple):
    """What each process is asked; it can be pickled."""

    wanted: Wanted = Wanted()
    since: Mapping[int, Place] | None = None
    """Where the last reading ended, by process; None for all that there is."""


class Exchanges(NamedTuple):
    """What a process answers; it can be pickled."""

    process: int
    rows: Sequence[dict[str, Any]]
    """The newest first."""

    place: Place
    missed: int = 0
    """Exchanges since the place that was given that are not here: too many came."""


def read_exchanges(
    recorder: Recorder,
    question: ExchangeQuestion,
    *,
    process: int,
    wall_time: Callable[[float], float],
) -> Exchanges:
    """
    :param process: the id of this process.
    :param wall_time: gives the seconds since the epoch at a moment of the records' clock.
    """
    wanted, is_first = question.wanted, question.since is None
    answered, unanswered = recorder.answered, recorder.unanswered
    place = Place(answered.count, unanswered.count)
    before = (question.since or {}).get(process, Place())
    if before.answered > place.answered or before.unanswered > place.unanswered:
        before = Place()  # It is that of an earlier process.
    found, missed = [], 0
    for ring, already in ((answered, before.answered), (unanswered, before.unanswered)):
        missed += 0 if is_first else max(ring.count - already - SIZE, 0)
        found += list(_matching(ring, ring.count - already, wanted))
    found.sort(key=_end_of, reverse=True)
    limit = min(wanted.limit, MOST_ROWS)
    if not is_first:
        missed += max(len(found) - limit, 0)
    rows = [_row(record, process, wall_time) for record in found[:limit]]
    return Exchanges(process, rows, place, missed)


def _matching(ring: ExchangeRing, new: int, wanted: Wanted) -> Iterator[ExchangeRecord]:
    return filter(wanted.matches, ring.newest(new))


def _end_of(record: ExchangeRecord) -> float:
    return record.began_at + record.duration


def _row(
    record: ExchangeRecord, process: int, wall_time: Callable[[float], float]
) -> dict[str, Any]:
    route = record.route
    upstream = route.upstream if route is not None else None
    ended = datetime.fromtimestamp(wall_time(_end_of(record)), UTC)
    return {
        "at": ended.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "id": _text(record.request_id),
        "client": _text(record.client_address),
        "method": _text(record.method),
        "host": _text(record.host),
        "path": _text(record.path),
        "status": record.status,
        "outcome": str(record.outcome),
        "detail": record.detail or None,
        "ingress": "/".join(route.ingress) if route is not None else None,
        "rule": _rule(route.host, route.path) if route is not None else None,
        "upstream": upstream.full_name if upstream is not None else None,
        "endpoint": str(record.tries[-1].endpoint) if record.tries else None,
        "tries": [_attempt(attempt) for attempt in record.tries],
        "seconds": round(record.duration, 6),
        "requestBytes": record.request_size,
        "responseBytes": record.body_size,
        "process": process,
    }


def _rule(host: str, path: str) -> str:
    return f"{host or '*'}{path}"[:_MAX_SHOWN]


def _attempt(attempt: AttemptRecord) -> dict[str, Any]:
    took = attempt.response_time
    return {
        "address": str(attempt.endpoint),
        "status": attempt.status or None,
        "seconds": None if took is None else round(took, 6),
    }


def _text(value: bytes) -> str:
    """:return: what a client may have sent, in printable ASCII and shortened."""
    text = value[:_MAX_SHOWN].decode("ascii", "backslashreplace")
    return text if text.isprintable() else repr(text)[1:-1]


def together(parts: Sequence[Exchanges], limit: int) -> list[dict[str, Any]]:
    """
    :param parts: those of all processes.
    :return: the rows of all, the newest first; `limit` of them.
    """
    rows = [row for part in parts for row in part.rows]
    rows.sort(key=lambda row: str(row["at"]), reverse=True)
    return rows[:limit]
