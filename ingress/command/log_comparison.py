"""
What a line of an access log says of its request, compared with what would become of it here.

Compared are the name of the Upstream (``$proxy_upstream_name``) and, where an answer would be the
proxy's own, its status. What the log does not tell is tried: a request counts as the same if one of
the hosts or schemes that it may have had explains the line.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, NamedTuple

from ingress.command.log_format import LogEntry
from ingress.errors import Outcome
from ingress.explain.decider import Decider, Decision, LoggedRequest
from ingress.policy.inputs import Input, Inputs
from ingress.problem import shown
from ingress.routing.build import Built
from ingress.routing.route import Route
from ingress.routing.snapshot import VirtualHost

UNKNOWN_OF_LINES: Final[Inputs] = frozenset(
    {Input.FIELDS, Input.SESSION, Input.OUTSIDE, Input.STATE}
)
"""What no access log has."""

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


def request_text(method: bytes, host: bytes | None, target: bytes) -> str:
    """:return: a request for people; no query, which may have secrets."""
    place = (host or b"") + target.partition(b"?")[0]
    return shown(f"{method.decode('ascii', 'replace')} {_decoded(place)}", _MOST_SHOWN)


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
    return shown(_decoded(name), _MOST_SHOWN)


def _decoded(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")


def _upstream(route: Route) -> bytes:
    return Decision(route, None, Outcome.OK).upstream


def _name_of(host: VirtualHost) -> bytes:
    """:return: a name that requests of this host can have; of a wildcard, any below it."""
    if not host.name:
        return f"{_STAND_IN}.invalid".encode()
    return host.name.replace("*", _STAND_IN, 1).encode("utf-8", "replace")
