"""
What changed when: the last Snapshots, each with what differs for clients.

The differences are found after a Snapshot is published, in short slices with pauses, so that
requests come first. Snapshots that are published meanwhile are compared together with the next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ingress.change_log import changed_hosts, changed_keys
from ingress.endpoint import UpstreamKey
from ingress.explain.differences import (
    Difference,
    find_certificate_difference,
    find_host_differences,
    find_port_differences,
)
from ingress.memory import SlowRelease
from ingress.published_change import PublishedChange
from ingress.routing.snapshot import Snapshot
from ingress.steps import Steps

MOST: Final = 100
"""Changes that are kept."""

MOST_LINES: Final = 50
"""Lines of one change; the others are counted."""

_MAX_LINE: Final = 300
"""Characters of a line: the words are partly those of the authors of manifests."""

SLICE: Final = 0.001
PAUSE: Final = 0.004
"""Seconds of work, and between two slices of it: a fifth of a core, while it lasts."""

_MANY: Final = 200
"""Hosts of which the former state is freed in slices."""

_NAMED: Final = 5
"""Endpoints that a line names."""


class SnapshotHistory:
    """
    The last changes.

    :param clock: schedules the work.
    :param now: the time of day.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, now: Callable[[], datetime]) -> None:
        self._clock = clock
        self._now = now
        self._changes: deque[PublishedChange] = deque(maxlen=MOST)
        self._release = SlowRelease(clock)
        self._compared: Snapshot | None = None
        """The Snapshot that the next one is compared with."""

        self._newest: tuple[Snapshot, datetime] | None = None
        self._turn: IDelayedCall | None = None

    def __repr__(self) -> str:
        return f"<SnapshotHistory of {len(self._changes)}>"

    def __len__(self) -> int:
        return len(self._changes)

    def __iter__(self) -> Iterator[PublishedChange]:
        """The newest first."""
        return iter(tuple(reversed(self._changes)))

    def take(self, snapshot: Snapshot) -> None:
        """Note a Snapshot that is published; the first one is no change."""
        if self._compared is None:
            self._compared = snapshot
            return
        self._newest = snapshot, self._now()
        if self._turn is None:
            self._begin()

    def _begin(self) -> None:
        newest, self._newest = self._newest, None
        before = self._compared
        if newest is None or before is None:
            return
        after, at = newest
        self._turn = self._clock.callLater(0, self._work, _lines(before, after), after, at)

    def _work(self, steps: Steps[_Lines], after: Snapshot, at: datetime) -> None:
        end = self._clock.seconds() + SLICE
        try:
            while self._clock.seconds() < end:
                next(steps)
        except StopIteration as stop:
            self._finish(stop.value, after, at)
        except Exception:
            self.log.failure("What differs in a Snapshot cannot be told")
            self._finish(_Lines(), after, at)
        else:
            self._turn = self._clock.callLater(PAUSE, self._work, steps, after, at)

    def _finish(self, found: _Lines, after: Snapshot, at: datetime) -> None:
        before, self._compared = self._compared, after
        self._turn = None
        if before is not None:
            change = PublishedChange(
                after.generation,
                before.generation + 1,
                at,
                found.in_order(),
                found.more,
                bool(found.opening),
            )
            self._changes.append(change)
            if found.hosts >= _MANY:
                # All of it, freed with the last reference to it, would take too long.
                for mapping in (before.hosts, before.upstreams, before.certificates):
                    self._release.hold(mapping)
        self._begin()


class _Lines:
    """The lines that were found."""

    def __init__(self) -> None:
        self.opening: list[str] = []
        self.others: list[str] = []
        self.more = 0
        self.hosts = 0

    def add(self, difference: Difference) -> None:
        """Add the lines of a difference; of those that open access there is always room for one."""
        lines = self.opening if difference.opens else self.others
        for change in difference.changes:
            line = f"{difference.subject}: {change}"
            if len(lines) < MOST_LINES:
                lines.append(line if len(line) <= _MAX_LINE else f"{line[:_MAX_LINE]}…")
            else:
                self.more += 1

    def in_order(self) -> tuple[str, ...]:
        """:return: the lines, no more than `MOST_LINES`; the others are counted."""
        lines = [*self.opening, *self.others]
        self.more += max(len(lines) - MOST_LINES, 0)
        return tuple(lines[:MOST_LINES])


def _lines(before: Snapshot, after: Snapshot) -> Steps[_Lines]:
    found = _Lines()
    if before.config != after.config:
        found.add(Difference("configuration", ("changed",)))
    hosts = {name for name, _ in changed_hosts(before, after)}
    found.hosts = len(hosts)
    yield
    for name in sorted(hosts):
        for difference in find_host_differences(name, before, after):
            found.add(difference)
        yield
    for difference in find_port_differences(before, after):
        found.add(difference)
    yield
    names = set(changed_keys(before.certificates, after.certificates)) - hosts
    if before.default_certificate is not after.default_certificate and "" not in hosts:
        names.add("")
    for name in sorted(names):
        for difference in find_certificate_difference(name, before, after):
            found.add(difference)
        yield
    for key in sorted(changed_keys(before.upstreams, after.upstreams)):
        for difference in _endpoints(key, before, after):
            found.add(difference)
        yield
    return found


def _endpoints(key: UpstreamKey, before: Snapshot, after: Snapshot) -> Iterator[Difference]:
    old, new = before.upstreams.get(key), after.upstreams.get(key)
    had = frozenset(old.endpoints) if old is not None else frozenset()
    has = frozenset(new.endpoints) if new is not None else frozenset()
    if had != has:
        signs = [f"+ {each}" for each in sorted(has - had)]
        signs += [f"- {each}" for each in sorted(had - has)]
        more = f" and {len(signs) - _NAMED} more" if len(signs) > _NAMED else ""
        change = f"{len(had)} -> {len(has)} ({', '.join(signs[:_NAMED])}{more})"
        yield Difference(f"endpoints of {key.full_name}", (change,))
