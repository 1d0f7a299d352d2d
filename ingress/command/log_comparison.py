"""
What an access log says of requests, compared with what would become of them here.

Compared are the name of the Upstream (``$proxy_upstream_name``) and, where an answer would be the
proxy's own, its status. What the log does not tell is tried: a request counts as the same if one of
the hosts or schemes that it may have had explains the line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final, NamedTuple

from ingress.command.log_format import LogEntry
from ingress.errors import Outcome
from ingress.explain.decider import Decider, Decision, LoggedRequest
from ingress.problem import Origin, shown
from ingress.routing.build import Built
from ingress.routing.route import Route
from ingress.routing.snapshot import VirtualHost

MOST_GROUPS: Final = 10_000
"""Differences that are told apart; others are counted together."""

MOST_EXAMPLES: Final = 3
_MOST_SHOWN: Final = 200
_DEFAULT_BACKEND: Final = b"upstream-default-backend"
_CUSTOM_BACKEND: Final = b"custom-default-backend-"
_NONE: Final = (b"", b"-")
_OF_THE_MOMENT: Final = frozenset({400, 408, 413, 414, 429, 431, 494, 499, 500, 502, 503, 504})
"""Statuses of nginx's own that no rule asks for, or that depend on other requests."""

_STAND_IN: Final = "host-of-no-rule"


class Result(Enum):
    """What a line says."""

    SAME = auto()
    DIFFERENT = auto()
    UNDECIDABLE = auto()
    MALFORMED = auto()


class Comparison(NamedTuple):
    """The result of one line."""

    result: Result
    was: str = ""
    """What became of the request, or why nothing can be said."""

    now: str = ""
    """What would become of it here."""

    route: Route | None = None


_SAME: Final = Comparison(Result.SAME)


@dataclass
class Group:
    """Lines with the same result."""

    count: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)
    """Numbers of lines, with the request."""

    def add(self, number: int, text: str) -> None:
        """Count a line."""
        self.count += 1
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append((number, text))

    def as_json(self) -> dict[str, Any]:
        """:return: plain values."""
        return {
            "count": self.count,
            "examples": [{"line": line, "request": text} for line, text in self.examples],
        }


class Difference(NamedTuple):
    """What lines that differ have in common."""

    ingress: str
    """The Ingress that decides here; empty if none does."""

    host: str
    path: str
    was: str
    now: str


class Tally:
    """
    The results of all lines, in bounded memory.

    :param most: differences that are told apart; `MOST_GROUPS` if None.
    """

    def __init__(self, built: Built, most: int | None = None) -> None:
        self._most = MOST_GROUPS if most is None else most
        self.counts = Counter[Result]()
        self.differences: dict[Difference, Group] = {}
        self.reasons: dict[str, Group] = {}
        self.malformed = Group()
        self.beyond = 0
        """Lines that differ and are in no group, because there are too many."""

        self._ingresses = built.memo.objects.ingresses

    def rebuilt(self, built: Built) -> None:
        """Have the places of Ingresses from another build."""
        self._ingresses = built.memo.objects.ingresses

    @property
    def lines(self) -> int:
        """All lines so far."""
        return self.counts.total()

    def add(self, number: int, text: str, found: Comparison) -> None:
        """:param text: the request, for examples."""
        self.counts[found.result] += 1
        if found.result is Result.DIFFERENT:
            route = found.route
            ingress = "/".join(route.ingress) if route is not None else ""
            host, path = (route.host or "*", route.path) if route is not None else ("", "")
            self._add(
                self.differences,
                Difference(ingress, host, path, found.was, found.now),
                number,
                text,
            )
        elif found.result is Result.UNDECIDABLE:
            self._add(self.reasons, found.was, number, text)
        elif found.result is Result.MALFORMED:
            self.malformed.add(number, text)

    def _add(self, groups: dict[Any, Group], key: object, number: int, text: str) -> None:
        group = groups.get(key)
        if group is None:
            if len(groups) >= self._most:
                self.beyond += groups is self.differences
                return
            group = groups[key] = Group()
        group.add(number, text)

    def origin(self, difference: Difference) -> Origin:
        """:return: where the Ingress of a difference stands."""
        namespace, _, name = difference.ingress.partition("/")
        found = self._ingresses.get((namespace, name))
        return found.origin if found is not None else Origin()

    def sorted_differences(self) -> list[tuple[Difference, Group]]:
        """:return: the most frequent first."""
        return sorted(self.differences.items(), key=lambda one: (-one[1].count, one[0]))

    def as_json(self) -> dict[str, Any]:
        """:return: plain values; the numbers have the names that the text has."""
        return {
            "lines": self.lines,
            **{result.name.lower(): self.counts[result] for result in Result},
            "differences": [
                {
                    **{name: value or None for name, value in difference._asdict().items()},
                    "file": self.origin(difference).file or None,
                    "line": self.origin(difference).line or None,
                    **group.as_json(),
                }
                for difference, group in self.sorted_differences()
            ],
            "differencesNotListed": self.beyond,
            "reasons": [
                {"reason": reason, **group.as_json()}
                for reason, group in sorted(self.reasons.items(), key=lambda one: -one[1].count)
            ],
            "malformedExamples": self.malformed.as_json()["examples"],
        }


class LogComparer:
    """
    Compares lines.

    :param host: of requests whose line has none.
    :param is_secure: whether requests came over TLS whose line does not say so; None to try both.
    """

    def __init__(
        self, built: Built, decider: Decider, host: bytes | None, is_secure: bool | None
    ) -> None:
        self._decider = decider
        self._host = host
        self._schemes = (True, False) if is_secure is None else (is_secure,)
        self._default = built.snapshot.default_route
        self._hosts: dict[bytes, list[bytes]] = {}
        for virtual_host in built.snapshot.virtual_hosts():
            name = _name_of(virtual_host)
            for upstream in dict.fromkeys(map(_upstream, virtual_host.routes())):
                self._hosts.setdefault(upstream, []).append(name)

    def compare(self, entry: LogEntry) -> Comparison:
        """:return: what the line says, the best of all that it may mean."""
        if not entry.method:
            return _undecidable("the line has no request: the client sent none, or none of HTTP")
        hosts = self._hosts_of(entry)
        if not hosts:
            return self._without_host(entry)
        schemes = self._schemes if entry.is_secure is None else (entry.is_secure,)
        best: Comparison | None = None
        for host in hosts:
            for is_secure in schemes:
                asked = LoggedRequest(
                    entry.method, entry.target, host, is_secure, entry.client, entry.fields
                )
                found = self._judge(entry, self._decider.decide(asked))
                if found.result is Result.SAME:
                    return found
                if best is None or found.result.value > best.result.value:
                    best = found
        assert best is not None
        return best

    def _hosts_of(self, entry: LogEntry) -> list[bytes] | tuple[bytes, ...]:
        host = entry.host or self._host
        return (host,) if host is not None else self._hosts.get(entry.upstream or b"", ())

    def _without_host(self, entry: LogEntry) -> Comparison:
        name = entry.upstream
        if name is None:
            return _undecidable("the line has neither a host nor a Service: --host names one")
        if name in _NONE or name == _DEFAULT_BACKEND or name.startswith(_CUSTOM_BACKEND):
            return _undecidable("the line has no host, and no rule answered: --host names one")
        now = "no rule leads to this Service"
        return Comparison(Result.DIFFERENT, f"{_text(name)} {entry.status}", now)

    def _judge(self, entry: LogEntry, decision: Decision) -> Comparison:
        """Compare a line with the decision on one request that it may be about."""
        was = entry.upstream
        if was is not None and not self._is_same_upstream(entry, was, decision):
            if was.startswith(_CUSTOM_BACKEND) or self._is_error_page(was, decision):
                return _undecidable("the Service of error pages answered, not that of the rule")
            if was in _NONE and entry.status in _OF_THE_MOMENT:
                return _undecidable(_moment(entry.status))
            return _different(entry, decision)
        if decision.status is not None:
            return self._judge_own(entry, decision)
        if was is None:
            return _undecidable("the line does not say which Service answered")
        return self._judge_passed(entry, decision)

    def _is_same_upstream(self, entry: LogEntry, was: bytes, decision: Decision) -> bool:
        now, route = decision.upstream, decision.route
        if was == now:
            return True
        if route is None or route is self._default:
            return was in (*_NONE, _DEFAULT_BACKEND)
        # A redirect of a whole server comes before its rules.
        return was in _NONE and decision.status == entry.status

    def _is_error_page(self, was: bytes, decision: Decision) -> bool:
        route = decision.route
        return (
            was == _DEFAULT_BACKEND
            and route is not None
            and any(policy.name == "custom-errors" for policy in route.policies)
        )

    def _judge_own(self, entry: LogEntry, decision: Decision) -> Comparison:
        """Compare where an answer would be the proxy's own."""
        if decision.status == entry.status:
            return _SAME
        if decision.outcome is Outcome.NO_ENDPOINT:
            return _undecidable("the Service has no endpoints in what is read here")
        if decision.open:
            return _undecidable(f"{_labels(decision)}: the log does not have what it decides by")
        if entry.status in _OF_THE_MOMENT:
            return _undecidable(_moment(entry.status))
        return _different(entry, decision)

    def _judge_passed(self, entry: LogEntry, decision: Decision) -> Comparison:
        """Compare where an endpoint would be asked: was one asked?"""
        if entry.asked not in _NONE or entry.asked is None or entry.status < 300:
            return _SAME
        if entry.status in _OF_THE_MOMENT:
            return _SAME
        if decision.open:
            return _undecidable(f"{_labels(decision)}: the log does not have what it decides by")
        return _different(entry, decision)


def examples_text(entry: LogEntry) -> str:
    """:return: the request of a line, for people; no query, which may have secrets."""
    host = entry.host.decode("utf-8", "replace") if entry.host is not None else ""
    target = entry.target.partition(b"?")[0].decode("utf-8", "replace")
    return shown(f"{entry.method.decode('ascii', 'replace')} {host}{target}", _MOST_SHOWN)


def report(tally: Tally) -> Iterator[str]:
    """:return: lines for people."""
    for difference, group in tally.sorted_differences():
        yield f"{group.count} different: {_subject(tally, difference)}"
        yield f"    {difference.was} -> {difference.now}"
        yield from _examples(group)
    if tally.beyond:
        yield f"{tally.beyond} different: of more kinds than are listed"
    for reason, group in sorted(tally.reasons.items(), key=lambda one: -one[1].count):
        yield f"{group.count} undecidable: {reason}"
        yield from _examples(group)
    if tally.malformed.count:
        yield f"{tally.malformed.count} malformed"
        yield from _examples(tally.malformed)
    counts: Mapping[Result, int] = tally.counts
    numbers = ", ".join(f"{counts[result]} {result.name.lower()}" for result in Result)
    yield f"{tally.lines} lines: {numbers}"


def _subject(tally: Tally, difference: Difference) -> str:
    if not difference.ingress:
        return "no rule decides here"
    origin = tally.origin(difference)
    place = f", in {origin}" if origin.file else ""
    return f"{difference.host}{difference.path} of {difference.ingress}{place}"


def _examples(group: Group) -> Iterator[str]:
    for line, text in group.examples:
        yield f"      line {line}: {text}"


def _different(entry: LogEntry, decision: Decision) -> Comparison:
    was = "no rule" if entry.upstream in _NONE else _text(entry.upstream or b"")
    now = "no rule" if decision.upstream in _NONE else _text(decision.upstream)
    status = "an endpoint answers" if decision.status is None else str(decision.status)
    own = " of its own" if entry.asked in _NONE else ""
    return Comparison(
        Result.DIFFERENT,
        f"{was} {entry.status}{own}".strip(),
        f"{now} {status}: {decision.detail}" if decision.detail else f"{now} {status}",
        decision.route,
    )


def _undecidable(why: str) -> Comparison:
    return Comparison(Result.UNDECIDABLE, why)


def _moment(status: int) -> str:
    return f"{status}: this depends on the moment, or on the client"


def _labels(decision: Decision) -> str:
    return ", ".join(decision.open)


def _text(name: bytes) -> str:
    return shown(name.decode("utf-8", "replace"), _MOST_SHOWN)


def _upstream(route: Route) -> bytes:
    return Decision(route, None, Outcome.OK).upstream


def _name_of(host: VirtualHost) -> bytes:
    """:return: a name that requests of this host can have; of a wildcard, any below it."""
    if not host.name:
        return f"{_STAND_IN}.invalid".encode()
    return host.name.replace("*", _STAND_IN, 1).encode("utf-8", "replace")
