"""
What differs for clients between two builds: by classes of URLs, not by lines of files.

A class of URLs is what one rule is for: an exact path, or all paths below one. Both builds are
asked, by the look-up that serves requests, what becomes of the URLs of each class that either has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from ingress.errors import RequestError
from ingress.explain.port_differences import port_changes
from ingress.policy.feature import RouteFeature
from ingress.routing.build import Built
from ingress.routing.match import find_certificate, find_host, find_route
from ingress.routing.passthrough import Passthrough
from ingress.routing.path import canonical_path
from ingress.routing.path_pattern import PathForm
from ingress.routing.route import Route
from ingress.routing.snapshot import ServerCertificate, Snapshot, VirtualHost

_BELOW: Final = b"-"
"""A segment that no rule names, it is to be hoped: it stands for all paths below another."""

_LITERAL: Final = frozenset({PathForm.EXACT, PathForm.PREFIX, PathForm.BEGINNING})
"""Patterns that begin with a path."""

_OF_ALL: Final = frozenset({"load_balance", "proxy"})
"""Features of every rule: only a change of them is worth a line."""


@dataclass(frozen=True)
class Difference:
    """What changes for a class of URLs, or for the certificate of a host."""

    subject: str
    """``shop.example/api/*``, or ``certificate of shop.example``."""

    changes: tuple[str, ...]
    """``default/api:80 -> default/new:80``; ``+``, ``-`` and ``~`` begin what a feature does."""

    opens: bool = False
    """Whether something that decided who gets access does so no longer, or decides otherwise."""

    def as_json(self) -> dict[str, Any]:
        """:return: plain values."""
        return {"subject": self.subject, "changes": list(self.changes), "opens": self.opens}


def find_differences(old: Built, new: Built) -> list[Difference]:
    """:return: those that may open access first; then by host and path."""
    before, after = old.snapshot, new.snapshot
    found: list[Difference] = []
    hosts = {host.name for each in (before, after) for host in each.virtual_hosts()}
    for host in sorted(hosts):
        found += find_host_differences(host, before, after)
    found += find_port_differences(before, after)
    return sorted(found, key=lambda difference: not difference.opens)


def find_port_differences(before: Snapshot, after: Snapshot) -> Iterator[Difference]:
    """:return: those of the ports of TCP and UDP services."""
    for port, change, opens in port_changes(before, after):
        yield Difference(port, (change,), opens)


def find_host_differences(name: str, before: Snapshot, after: Snapshot) -> Iterator[Difference]:
    """
    :param name: that of a host in one of the Snapshots, or in both.
    :return: those of its rules, and of its certificate.
    """
    had, has = _classes(before.host_named(name)), _classes(after.host_named(name))
    yield from _of_passthrough(name, before, after)
    yield from _of_rules(name, had, has, before, after)
    yield from find_certificate_difference(name, before, after)


def _of_passthrough(name: str, before: Snapshot, after: Snapshot) -> Iterator[Difference]:
    """:return: none or one; nothing of a connection is seen any more once it is passed through."""
    hosts = before.host_named(name), after.host_named(name)
    old, new = (None if host is None else host.passthrough for host in hosts)
    if old == new:
        return
    opens = new is not None and not new.closed and (old is None or _guards(old) != _guards(new))
    change = " -> ".join(map(_passed, (old, new)))
    yield Difference(f"connections over TLS for {name}", (change,), opens)


def _guards(passed: Passthrough) -> tuple[object, ...]:
    return passed.closed, passed.ranges, passed.limits, passed.blocked


def _passed(passed: Passthrough | None) -> str:
    if passed is None:
        return "TLS ends at the proxy"
    if passed.upstream is None or passed.closed:
        return f"closed: {passed.closed}"
    return f"passed through to {passed.upstream.full_name}"


def find_certificate_difference(
    name: str, before: Snapshot, after: Snapshot
) -> Iterator[Difference]:
    """
    :param name: that of a host; empty for all those that no certificate is for.
    :return: none or one.
    """
    certificates = [
        find_certificate(snapshot, name) if name else snapshot.default_certificate
        for snapshot in (before, after)
    ]
    if _identity(certificates[0]) != _identity(certificates[1]):
        change = " -> ".join(map(_certificate, certificates))
        yield Difference(f"certificate of {name or 'all other hosts'}", (change,))


def _of_rules(
    name: str,
    own: dict[tuple[str, str], Route],
    others: dict[tuple[str, str], Route],
    before: Snapshot,
    after: Snapshot,
) -> Iterator[Difference]:
    """
    :param own: the rules of the older build by path and its type.
    :param others: those of the newer one.
    """
    for path, kind in sorted(own.keys() | others.keys()):
        old = own.get((path, kind)) or _look_up(before, name, path, kind, others[path, kind])
        new = others.get((path, kind)) or _look_up(after, name, path, kind, own[path, kind])
        changes, opens = _compare(old, new)
        if changes:
            yield Difference(_subject(name, path, kind), changes, opens)


def _classes(host: VirtualHost | None) -> dict[tuple[str, str], Route]:
    """:return: the rules of a host by path and its type; the default backend has neither."""
    if host is None:
        return {}
    found: dict[tuple[str, str], Route] = {}
    for route in host.path_routes():
        # Of rules with the same path the first decides; those with conditions come before.
        found.setdefault((route.path, route.path_type), route)
    if host.default is not None:
        found["", ""] = host.default
    return found


def _look_up(snapshot: Snapshot, host: str, path: str, kind: str, other: Route) -> Route | None:
    """
    Find what serves a class of URLs that only the other build has a rule for.

    :param other: that rule.
    """
    name = host.encode("utf-8", "replace")
    if other.pattern is not None and other.pattern.form not in _LITERAL:
        # What a regular expression is for is no path that could be looked up.
        found = find_host(snapshot, name)
        return found.default if found is not None else snapshot.default_route
    raw = path.encode("utf-8", "replace") or b"/"
    if kind != "Exact":
        raw = raw.rstrip(b"/") + b"/" + _BELOW
    try:
        return find_route(snapshot, name, canonical_path(raw))
    except RequestError:
        return None


def _subject(host: str, path: str, kind: str) -> str:
    shown = host or "(all other hosts)"
    if not kind:
        return f"{shown} (all other paths)"
    if kind == "Prefix":
        path = f"{path.rstrip('/')}/*"
    return f"{shown}{path}"


def _compare(old: Route | None, new: Route | None) -> tuple[tuple[str, ...], bool]:
    """:return: the changes, and whether they may open access."""
    changes = []
    if _target(old) != _target(new):
        changes.append(f"{_target(old)} -> {_target(new)}")
    was, now = _features(old), _features(new)
    if old is None or new is None:
        changes += [f"+ {_words(feature)}" for feature in now if feature.key() not in _OF_ALL]
        return tuple(changes), False
    gone = [feature for feature in was if feature not in now]
    come = [feature for feature in now if feature not in was]
    for feature in gone:
        # Two policies of the configuration may be of one class, and have the same key.
        other = next((each for each in come if each.key() == feature.key()), None)
        if other is None:
            changes.append(f"- {_words(feature)}")
            continue
        come.remove(other)
        same = _words(feature) == _words(other)
        if feature.guards or not same or feature.shown() != other.shown():
            note = " (in the same words)" if same else ""
            changes.append(f"~ {_words(feature)} -> {_words(other)}{note}")
    changes += [f"+ {_words(feature)}" for feature in come]
    return tuple(changes), any(feature.guards for feature in gone)


def _target(route: Route | None) -> str:
    if route is None or route.upstream is None:
        return "404"
    return route.upstream.full_name


def _features(route: Route | None) -> list[RouteFeature]:
    features = route.features if route is not None else ()
    return sorted(features, key=lambda feature: feature.key())


def _words(feature: RouteFeature) -> str:
    return f"{feature.key()}: {feature.explain()}"


def _identity(certificate: ServerCertificate | None) -> object:
    return (certificate.identity, certificate.not_after) if certificate is not None else None


def _certificate(certificate: ServerCertificate | None) -> str:
    if certificate is None:
        return "self-signed"
    secret = "/".join(certificate.identity.secret)
    return f"{secret} (to {certificate.not_after.astimezone(UTC):%Y-%m-%d})"
