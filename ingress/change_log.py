"""
The log of published changes: one line with what changed, at most one a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ingress.endpoint import UpstreamKey
from ingress.routing.snapshot import Snapshot

LINE_DELAY: Final = 1.0
"""Seconds between two lines; the changes in between are one line."""

NAMES_SHOWN: Final = 5
"""Names of each kind of change that a line has; the others are counted."""

_VERBS: Final = {
    (False, True): "added",
    (True, True): "changed",
    (True, False): "removed",
}
"""What happened to something, by whether it existed and exists."""

K = TypeVar("K")


class ChangeLog:
    """
    Compares each published Snapshot with the one before.

    :param clock: schedules the lines.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._last: Snapshot | None = None
        self._is_reconfigured = False
        self._hosts: dict[str, bool] = {}
        """Hosts that changed since the last line, and whether they existed at that time."""

        self._certificates: dict[str, bool] = {}
        self._endpoints: dict[UpstreamKey, int] = {}
        """Upstreams that changed since the last line, and their endpoints at that time."""

        self._line: IDelayedCall | None = None

    def __repr__(self) -> str:
        return f"<ChangeLog {len(self._hosts)} hosts, {len(self._endpoints)} Upstreams>"

    def take(self, snapshot: Snapshot) -> None:
        """Note a Snapshot that is published; the first one is not a change."""
        last, self._last = self._last, snapshot
        if last is None:
            return
        if last.config != snapshot.config:
            # Every host is made anew then, so that comparing them says nothing.
            self._is_reconfigured = True
        else:
            for name, existed in changed_hosts(last, snapshot):
                self._hosts.setdefault(name, existed)
        for name in changed_keys(last.certificates, snapshot.certificates):
            self._certificates.setdefault(name, name in last.certificates)
        for key in changed_keys(last.upstreams, snapshot.upstreams):
            before = last.upstreams.get(key)
            if before != snapshot.upstreams.get(key):
                self._endpoints.setdefault(key, len(before.endpoints) if before else 0)
        if self._line is None:
            self._line = self._clock.callLater(0, self._write)

    def _write(self) -> None:
        has_written = self._write_line()
        # After a line the next one waits; without one the next change is written at once.
        self._line = self._clock.callLater(LINE_DELAY, self._write) if has_written else None

    def _write_line(self) -> bool:
        """:return: whether there was a change to write."""
        assert self._last is not None
        changes = list(self._describe(self._last))
        self._is_reconfigured = False
        for noted in (self._hosts, self._certificates, self._endpoints):
            noted.clear()
        if changes:
            self.log.info("Published: {changes}", changes="; ".join(changes))
        return bool(changes)

    def _describe(self, now: Snapshot) -> Iterator[str]:
        if self._is_reconfigured:
            yield "the changed configuration"
        yield from _listed("hosts", self._hosts, lambda name: _has_host(now, name))
        yield from _listed("certificates", self._certificates, now.certificates.__contains__)
        endpoints = [
            f"{key.namespace}/{key.service}:{key.port} ({len(now.upstreams[key].endpoints)},"
            f" before {before})"
            for key, before in self._endpoints.items()
            if key in now.upstreams
        ]
        if endpoints:
            yield f"endpoints of {_some(endpoints)}"


def changed_hosts(last: Snapshot, now: Snapshot) -> Iterator[tuple[str, bool]]:
    """The hosts that differ, and whether they existed."""
    for before, after in (
        (last.hosts, now.hosts),
        (last.wildcard_hosts, now.wildcard_hosts),
    ):
        for key in changed_keys(before, after):
            yield (after.get(key) or before[key]).name, key in before
    if last.any_host is not now.any_host:
        yield "", last.any_host is not None


def _has_host(snapshot: Snapshot, name: str) -> bool:
    if not name:
        return snapshot.any_host is not None
    if name.startswith("*."):
        return name[2:].encode() in snapshot.wildcard_hosts
    return name.encode() in snapshot.hosts


def changed_keys(before: Mapping[K, object], after: Mapping[K, object]) -> Iterator[K]:
    """The keys of objects that are not the same; a build keeps the others."""
    if before is after:
        return
    for key, value in after.items():
        if before.get(key) is not value:
            yield key
    for key in before:
        if key not in after:
            yield key


def _listed(what: str, noted: Mapping[str, bool], exists: Callable[[str], bool]) -> Iterator[str]:
    """What was added, changed and removed."""
    kinds: dict[tuple[bool, bool], list[str]] = {}
    for name, existed in noted.items():
        kinds.setdefault((existed, exists(name)), []).append(name or "(any host)")
    for kind, verb in _VERBS.items():
        if kind in kinds:
            yield f"{what} {verb}: {_some(kinds[kind])}"


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN])
    more = len(names) - NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
