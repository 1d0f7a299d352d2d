"""
The hosts and rules that a request could have met, each with the reason why it did or did not.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from enum import Enum, StrEnum, auto
from typing import Final, NamedTuple

from ingress.message import Request
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot, VirtualHost

MAX_RULES: Final = 20
"""Rules that did not match and are shown, the nearest first; the others are counted."""


class HostKind(StrEnum):
    """How a VirtualHost is found."""

    EXACT = "exact"
    WILDCARD = "wildcard"
    ANY = "any"
    """For hosts that no rule names."""


class HostCandidate(NamedTuple):
    """A VirtualHost that was looked for."""

    kind: HostKind
    name: str
    """The name as rules would have it; empty for `HostKind.ANY`."""

    exists: bool
    is_chosen: bool

    @property
    def reason(self) -> str:
        """Why it was chosen, or not; in a few words."""
        if self.is_chosen:
            return "has rules, and decides"
        if self.exists:
            return "has rules, but a more exact host decides"
        return "no rule names it"


class RuleCandidate(NamedTuple):
    """A rule of the VirtualHost."""

    route: Route
    is_chosen: bool
    reason: str


class Candidates(NamedTuple):
    """All that a request could have met."""

    hosts: tuple[HostCandidate, ...]
    host: VirtualHost | None
    rules: tuple[RuleCandidate, ...]
    """Those that match in the order in which they are tried, then the nearest of the others."""

    others: int
    """The number of further rules of the host, which do not match."""

    chosen: Route | None


def find_candidates(snapshot: Snapshot, request: Request) -> Candidates:
    """
    Find what `routing.match.find_route` has looked at.

    :param request: the request, with its canonical path.
    """
    hosts, host = _hosts(snapshot, request.host)
    if host is None:
        return Candidates(hosts, None, (), 0, None)
    matching = list(host.candidates(request.path))
    rules, chosen = [], None
    for route in matching:
        meets = all(condition.holds(request) for condition in route.conditions)
        if chosen is None and meets:
            chosen = route
            rules.append(RuleCandidate(route, True, "matches, and decides"))
        elif not meets:
            rules.append(RuleCandidate(route, False, "its path matches, but not its conditions"))
        else:
            rules.append(RuleCandidate(route, False, "matches, but the rule above comes first"))
    chosen = chosen or host.default
    found = set(map(id, matching))
    missed = [route for route in host.path_routes() if id(route) not in found]
    missed.sort(key=lambda route: _distance(route, request.path))
    rules += [
        RuleCandidate(route, False, why_no_match(route, request.path))
        for route in missed[:MAX_RULES]
    ]
    if host.default is not None:
        is_chosen = chosen is host.default
        reason = (
            "no path matches, so the default backend decides" if is_chosen else "a path matches"
        )
        rules.append(RuleCandidate(host.default, is_chosen, reason))
    return Candidates(hosts, host, tuple(rules), max(0, len(missed) - MAX_RULES), chosen)


def _hosts(snapshot: Snapshot, host: bytes) -> tuple[tuple[HostCandidate, ...], VirtualHost | None]:
    parent = host.partition(b".")[2]
    wildcard = snapshot.wildcard_hosts.get(parent) if host.partition(b".")[0] else None
    looked_at = (
        (HostKind.EXACT, host.decode("ascii", "replace"), snapshot.hosts.get(host)),
        (HostKind.WILDCARD, f"*.{parent.decode('ascii', 'replace')}", wildcard),
        (HostKind.ANY, "", snapshot.any_host),
    )
    chosen = next((found for _, _, found in looked_at if found is not None), None)
    listed = tuple(
        HostCandidate(kind, name, found is not None, found is not None and found is chosen)
        for kind, name, found in looked_at
        if parent or kind is not HostKind.WILDCARD
    )
    return listed, chosen


def _distance(route: Route, path: bytes) -> tuple[int, int, str]:
    """:return: what sorts rules: those that would match if one thing were otherwise come first."""
    miss = _miss(route, path)
    common = common_length(route.path, path.decode("utf-8", "replace"))
    return (list(_Miss).index(miss), -common, route.path)


def common_length(one: str, other: str) -> int:
    """:return: how many characters are the same at the beginning."""
    return next(
        (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )


class _Miss(Enum):
    """Why a path does not match, the nearest miss first."""

    CASE = auto()
    SLASH = auto()
    SEGMENT = auto()
    BELOW = auto()
    PATTERN = auto()
    OTHER = auto()


def _miss(route: Route, path: bytes) -> _Miss:
    if route.pattern is not None:
        return _Miss.PATTERN
    written, asked = route.path, path.decode("utf-8", "replace")
    is_exact = route.path_type == "Exact"
    if is_exact and asked.rstrip("/") == written.rstrip("/"):
        return _Miss.SLASH
    if asked.lower().startswith(written.lower()) and not asked.startswith(written):
        return _Miss.CASE if not is_exact or len(asked) == len(written) else _Miss.OTHER
    if is_exact:
        is_below = len(written) > 1 and asked.startswith(f"{written.rstrip('/')}/")
        return _Miss.BELOW if is_below else _Miss.OTHER
    return _Miss.SEGMENT if asked.startswith(written) else _Miss.OTHER


def why_no_match(route: Route, path: bytes) -> str:
    """
    :param route: a rule whose path does not match.
    :param path: a canonical path.
    :return: the reason in a few words.
    """
    miss, kind = _miss(route, path), route.path_type
    return {
        _Miss.CASE: "upper and lower case differ",
        _Miss.SLASH: "a slash at the end makes another path of an Exact one",
        _Miss.SEGMENT: "a Prefix counts whole segments",
        _Miss.BELOW: "Exact is not for what is below it",
        _Miss.PATTERN: "the expression does not match the beginning of the path",
        _Miss.OTHER: "the path is another one" if kind == "Exact" else "the path begins otherwise",
    }[miss]


def remedy_for(route: Route, path: bytes) -> str:
    """
    :param route: the nearest rule whose path does not match.
    :param path: a canonical path.
    :return: what would have to change for the rule, or another one, to match.
    """
    asked, written = path.decode("utf-8", "replace"), route.path
    wider = f"a further rule for {asked}, or pathType Prefix with the path / for all else"
    return {
        _Miss.CASE: f"the URL to {written}, or the path to {asked[: len(written)]}",
        _Miss.SLASH: f"the URL to {written}, or pathType to Prefix, which takes both",
        _Miss.SEGMENT: f"pathType to ImplementationSpecific, for all that begins with {written}",
        _Miss.BELOW: f"pathType to Prefix, which takes all below {written}",
        _Miss.PATTERN: f"the expression, so that it matches {asked} from the beginning",
        _Miss.OTHER: wider,
    }[_miss(route, path)]


def nearest_hosts(snapshot: Snapshot, host: bytes, most: int = 3) -> list[str]:
    """
    :return: the hosts with the most similar names, for a request whose host nobody names.
    """
    names = [name.decode("ascii", "replace") for name in snapshot.hosts]
    return get_close_matches(host.decode("ascii", "replace"), names, most, 0.8)


def same_path_elsewhere(snapshot: Snapshot, path: bytes, most: int = 3) -> Iterator[Route]:
    """
    Yield rules of other hosts that match the path by more than ``/``.

    :param most: how many of them.
    """
    for host in snapshot.hosts.values():
        route = next(iter(host.candidates(path)), None)
        if route is not None and route.path != "/":
            yield route
            most -= 1
            if not most:
                return
