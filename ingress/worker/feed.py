"""
Sends workers the newest Snapshot, as the difference from what they have.
"""

from __future__ import annotations

import json
from weakref import WeakValueDictionary

from ingress.routing.snapshot import Snapshot
from ingress.worker.difference import Difference
from ingress.worker.message import Kind, Message


class Publication:
    """The Snapshot in force, for all workers."""

    def __init__(self) -> None:
        self.newest: Snapshot | None = None
        self.generation = 0
        """The number of Snapshots so far."""

        self._differences: WeakValueDictionary[int, Difference] = WeakValueDictionary()

    def __repr__(self) -> str:
        return f"<Publication {self.generation}>"

    def publish(self, snapshot: Snapshot) -> None:
        """Make `snapshot` the newest one."""
        self.newest = snapshot
        self.generation += 1
        self._differences.clear()

    def difference_from(self, before: Snapshot | None) -> Difference:
        """
        The Difference from `before` to the newest Snapshot. Callers share one object while
        any of them uses it.
        """
        assert self.newest is not None
        # A Difference keeps its `before` alive, so that no other object gets that id.
        found = self._differences.get(id(before))
        if found is None:
            found = self._differences[id(before)] = Difference(before, self.newest)
        return found


class SnapshotFeed:
    """
    Brings one worker from Snapshot to Snapshot (`Source`).

    Of the Snapshots that are published while one is being sent, only the newest is sent
    next. That bounds what is kept for a worker that reads nothing.
    """

    def __init__(self, publication: Publication) -> None:
        self._publication = publication
        self._told: Snapshot | None = None
        self._difference: Difference | None = None
        self._index = 0
        self._generation = 0

    def __repr__(self) -> str:
        return f"<SnapshotFeed of {self._generation}: {self._index} sent>"

    def take(self) -> Message | None:
        """Source."""
        if self._difference is None and not self._begin():
            return None
        assert self._difference is not None
        content = self._difference.message(self._index)
        if content is not None:
            self._index += 1
            return Kind.PIECES, content
        self._told, self._difference = self._difference.after, None
        return Kind.PUBLISH, json.dumps(self._generation).encode()

    def _begin(self) -> bool:
        publication = self._publication
        if publication.newest is None or publication.newest is self._told:
            return False
        self._difference = publication.difference_from(self._told)
        self._index = 0
        self._generation = publication.generation
        return True
