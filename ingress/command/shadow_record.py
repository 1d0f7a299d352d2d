"""
What a shadow has seen: requests of a running ingress-nginx, decided here, in bounded memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from twisted.logger import Logger

from ingress.command.log_comparison import (
    UNKNOWN_OF_LINES,
    Comparison,
    LogComparer,
    Result,
    request_text,
)
from ingress.command.log_format import LogEntry, Reader
from ingress.command.log_tally import Group, Tally
from ingress.explain.decider import Decider, Decision, LoggedRequest
from ingress.policy.inputs import Input, Inputs
from ingress.problem import shown
from ingress.routing.build import Built
from ingress.telemetry.exposition import Family, counter, gauge, label_text, line

log = Logger()

MOST_DIFFERENCES: Final = 1000
"""Differences that are told apart; others are counted together."""

MOST_ANSWERS: Final = 1000
"""Answers by rule that are told apart."""

MOST_KEPT: Final = 2000
"""Decisions about copies of requests that are kept, each with some KiB of fields at most."""

UNKNOWN_OF_COPIES: Final[Inputs] = frozenset({Input.SESSION, Input.OUTSIDE, Input.STATE})
"""What a copy of a request does not have."""

_PREFIX: Final = "txingress_shadow"
_MOST_SHOWN: Final = 120
_MALFORMED: Final = Comparison(Result.MALFORMED)
_CUT: Final = "a line that was too long, or that was cut"


class Answer(NamedTuple):
    """What would be answered, where nobody has said what was."""

    ingress: str
    """Empty if no rule decides."""

    host: str
    path: str
    status: str
    """Of an answer of the proxy's own; ``endpoint`` if an endpoint would answer."""

    reason: str


class _Rules:
    """What decides about lines and copies: made of one build."""

    def __init__(
        self, built: Built, now: float, host: bytes | None, is_secure: bool | None
    ) -> None:
        self.lines = LogComparer(
            built, Decider(built.snapshot, UNKNOWN_OF_LINES, now), host, is_secure
        )
        self.decider = Decider(built.snapshot, UNKNOWN_OF_COPIES, now, MOST_KEPT)
        self.copies = LogComparer(built, self.decider, host, is_secure)


class ShadowRecord:
    """
    Decides about lines and copies of requests, and keeps what came of it.

    :param read: reads lines.
    :param told: called with each difference that is the first of its kind.
    :param now: seconds since the epoch.
    :param host: of requests without one.
    :param is_secure: whether requests that do not say so came over TLS; None to try both.
    """

    def __init__(
        self,
        read: Reader,
        told: Callable[[str], None],
        now: Callable[[], float],
        host: bytes | None = None,
        is_secure: bool | None = None,
    ) -> None:
        self.read = read
        self._told = told
        self._now = now
        self._host = host
        self._is_secure = is_secure
        self._rules: _Rules | None = None
        self.tally: Tally | None = None
        """Of lines and of copies whose answer is known; None before the first rules."""

        self.results: Counter[tuple[str, str]] = Counter()
        """By source (``log``, ``mirror``) and result."""

        self.answers: dict[Answer, Group] = {}
        """Of copies whose answer nobody has said."""

        self.answer_counts: Counter[tuple[str, str]] = Counter()
        """The same by status and reason."""

        self.beyond = 0
        """Copies that are in no group, because there are too many."""

        self.generation = 0
        """Builds that rules were made of."""

        self.last_seen = 0.0
        """When the last request came, in seconds since the epoch; 0 before."""

        self.failures = 0
        """Lines and copies that could not be compared, for a fault of ours."""

        self.refused = 0
        """Connections and requests that the listener for copies has refused."""

    def __repr__(self) -> str:
        return f"<ShadowRecord {dict(self.results)}>"

    @property
    def differs(self) -> bool:
        """Whether anything did."""
        return self.tally is not None and self.tally.counts[Result.DIFFERENT] > 0

    def rebuild(self, built: Built) -> None:
        """Decide by another build from now on."""
        self._rules = _Rules(built, self._now(), self._host, self._is_secure)
        self.generation += 1
        if self.tally is None:
            self.tally = Tally(built, MOST_DIFFERENCES)
        else:
            self.tally.rebuilt(built)

    def take_line(self, line_of_log: bytes) -> None:
        """Decide about the request of a line; whatever it is, the next one is taken as well."""
        try:
            self._take_line(line_of_log)
        except Exception:
            self.failures += 1
            log.failure("A line of the log could not be compared")

    def _take_line(self, line_of_log: bytes) -> None:
        rules, tally = self._rules, self.tally
        if rules is None or tally is None:
            return
        entry = self.read(line_of_log)
        if entry is None:
            # What could not be read may have anything in it: only its beginning is kept.
            text = shown(line_of_log[:_MOST_SHOWN].decode("utf-8", "replace"), _MOST_SHOWN)
            self._add("log", text, _MALFORMED)
        else:
            self._add(
                "log",
                request_text(entry.method, entry.host, entry.target),
                rules.lines.compare(entry),
            )

    def cut_line(self) -> None:
        """Count a line whose end never came."""
        if self.tally is not None:
            self._add("log", _CUT, _MALFORMED)

    def take_copy(self, asked: LoggedRequest, answer: str) -> None:
        """
        Decide about a copy of a request.

        :param answer: ``NAMESPACE-SERVICE-PORT STATUS`` or ``STATUS`` of ingress-nginx, if it is
            known; else empty.
        """
        try:
            self._take_copy(asked, answer)
        except Exception:
            self.failures += 1
            log.failure("A copy of a request could not be compared")

    def _take_copy(self, asked: LoggedRequest, answer: str) -> None:
        rules = self._rules
        if rules is None:
            return
        entry = _entry(asked, answer)
        if entry is not None:
            self._add(
                "mirror",
                request_text(entry.method, entry.host, entry.target),
                rules.copies.compare(entry),
            )
            return
        self.last_seen = self._now()
        self._add_answer(asked, rules.decider.decide(asked))

    def _add(self, source: str, text: str, found: Comparison) -> None:
        tally = self.tally
        assert tally is not None
        self.last_seen = self._now()
        self.results[source, found.result.name.lower()] += 1
        before = len(tally.differences)
        tally.add(tally.lines + 1, text, found)
        if len(tally.differences) > before:
            route = found.route
            rule = f" of {'/'.join(route.ingress)}" if route is not None else ""
            self._told(f"different: {text}{rule}: {found.was} -> {found.now}")

    def _add_answer(self, asked: LoggedRequest, decision: Decision) -> None:
        route = decision.route
        status = "endpoint" if decision.status is None else str(decision.status)
        reason = "undecided" if decision.open else str(decision.outcome.value)
        self.results["mirror", "decided"] += 1
        self.answer_counts[status, reason] += 1
        key = Answer(
            "/".join(route.ingress) if route is not None else "",
            (route.host or "*") if route is not None else "",
            route.path if route is not None else "",
            status,
            reason,
        )
        group = self.answers.get(key)
        if group is None:
            if len(self.answers) >= MOST_ANSWERS:
                self.beyond += 1
                return
            group = self.answers[key] = Group()
        group.add(
            self.results["mirror", "decided"], request_text(asked.method, asked.host, asked.target)
        )

    def as_json(self) -> dict[str, Any]:
        """:return: plain values: as those of ``txingress simulate``, and the answers to copies."""
        told = self.tally.as_json() if self.tally is not None else {}
        return {
            **told,
            "copies": self.results["mirror", "decided"],
            "answers": [
                {
                    **{name: value or None for name, value in answer._asdict().items()},
                    **group.as_json(),
                }
                for answer, group in sorted(
                    self.answers.items(), key=lambda one: (-one[1].count, one[0])
                )
            ],
            "answersNotListed": self.beyond,
            "generation": self.generation,
        }

    def families(self, rotations: int, cut_lines: int) -> Iterator[Family]:
        """
        :param rotations: of the file that is followed.
        :return: metrics; the number of their lines is bounded.
        """
        family = Family(
            f"{_PREFIX}_requests_total",
            "counter",
            "Requests of a running ingress-nginx by where they came from, and what a comparison "
            "came to.",
        )
        lines = [
            line(family.name, label_text({"source": source, "result": result}), number)
            for (source, result), number in sorted(self.results.items())
        ]
        yield family._replace(lines=lines)
        family = Family(
            f"{_PREFIX}_answers_total",
            "counter",
            "Copies of requests whose answer is not known, by what would be answered here.",
        )
        lines = [
            line(family.name, label_text({"status": status, "reason": reason}), number)
            for (status, reason), number in sorted(self.answer_counts.items())
        ]
        yield family._replace(lines=lines)
        tally = self.tally
        kinds = len(tally.differences) if tally is not None else 0
        yield gauge(f"{_PREFIX}_differences", "Differences that are told apart.", kinds)
        yield gauge(f"{_PREFIX}_generation", "Builds that were decided by.", self.generation)
        yield gauge(
            f"{_PREFIX}_last_seen_timestamp_seconds", "When the last request came.", self.last_seen
        )
        yield counter(f"{_PREFIX}_rotations_total", "Rotations of the log.", rotations)
        yield counter(f"{_PREFIX}_cut_lines_total", "Lines whose end never came.", cut_lines)
        yield counter(
            f"{_PREFIX}_failures_total", "Faults of this program while comparing.", self.failures
        )
        yield counter(
            f"{_PREFIX}_refused_total", "Connections that were refused or ended.", self.refused
        )


def _entry(asked: LoggedRequest, answer: str) -> LogEntry | None:
    """:return: a copy as if it stood in a log; None if nobody says what was answered."""
    upstream, _, status = answer.strip().rpartition(" ")
    if not (status.isascii() and status.isdigit() and len(status) == 3):
        return None
    return LogEntry(
        asked.method,
        asked.target,
        asked.host,
        asked.is_secure,
        asked.client,
        int(status),
        upstream.encode("utf-8", "replace") or None,
        None,
        asked.fields,
    )
