"""
All objects and their history, in place of the real server's etcd.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter

from tests.support.fake_api.kind import Document

Key = tuple[str, str]
"""Namespace, which may be empty, and name; lists are in this order."""


class TooOld(Exception):
    """The history since the given revision is gone."""


@dataclass(frozen=True)
class Change:
    """
    One write.

    :ivar before: None if the object is new.
    :ivar after: None if the object was removed.
    """

    revision: int
    stored: str
    key: Key
    before: Document | None
    after: Document | None

    @property
    def last(self) -> Document:
        """The current or last object, with the revision of this change."""
        found = self.after or self.before
        assert found is not None
        if self.after is None:
            metadata = {**found["metadata"], "resourceVersion": str(self.revision)}
            return {**found, "metadata": metadata}
        return found


class Store:
    """
    :ivar revision: the revision of the last write of any object.
    :ivar forgotten: the revision up to which the history is gone.
    """

    def __init__(self, revision: int = 1) -> None:
        self.revision = revision
        self.forgotten = 0
        self._objects: dict[str, dict[Key, Document]] = {}
        self._history: list[Change] = []
        self._listeners: list[Callable[[Change], None]] = []

    def __repr__(self) -> str:
        count = sum(map(len, self._objects.values()))
        return f"<Store {count} objects at {self.revision}>"

    # Reading.

    def get(self, stored: str, key: Key) -> Document | None:
        return self._objects.get(stored, {}).get(key)

    def objects(self, stored: str) -> list[tuple[Key, Document]]:
        """Return all current objects of a kind."""
        return sorted(self._objects.get(stored, {}).items())

    def objects_at(self, stored: str, revision: int) -> list[tuple[Key, Document]]:
        """
        Return all objects of a kind at an earlier revision.

        :raises TooOld: if that revision is gone.
        """
        then: dict[Key, Document | None] = dict(self._objects.get(stored, {}))
        for change in reversed(self.changes_since(stored, revision)):
            then[change.key] = change.before
        return sorted((key, each) for key, each in then.items() if each is not None)

    def changes_since(self, stored: str, revision: int) -> list[Change]:
        """
        :raises TooOld: if some of the changes are gone.
        """
        if revision < self.forgotten:
            raise TooOld
        first = bisect_right(self._history, revision, key=attrgetter("revision"))
        return [change for change in self._history[first:] if change.stored == stored]

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """
        Call `listener` for each change from now on.

        :return: a function that ends this.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # Writing.

    def put(self, stored: str, key: Key, document: Document) -> Document:
        """
        Store a new or changed object.

        :return: the object with its new revision.
        """
        self.revision += 1
        metadata = {**document["metadata"], "resourceVersion": str(self.revision)}
        kept = {**document, "metadata": metadata}
        objects = self._objects.setdefault(stored, {})
        before = objects.get(key)
        objects[key] = kept
        self._record(stored, key, before, kept)
        return kept

    def remove(self, stored: str, key: Key) -> None:
        """Remove an existing object."""
        self.revision += 1
        self._record(stored, key, self._objects[stored].pop(key), None)

    def _record(
        self, stored: str, key: Key, before: Document | None, after: Document | None
    ) -> None:
        change = Change(self.revision, stored, key, before, after)
        self._history.append(change)
        for listener in tuple(self._listeners):
            listener(change)

    # Disturbances.

    def forget_history(self) -> None:
        """Compact: forget all history up to the present."""
        self._history.clear()
        self.forgotten = self.revision

    def lose(self, revision: int) -> None:
        """Lose everything silently; the next write gets a later revision."""
        assert revision > self.revision
        self._objects.clear()
        self.revision = revision
        self.forget_history()

    def everything(self) -> Iterator[tuple[str, Key, Document]]:
        for stored, objects in self._objects.items():
            for key, document in objects.items():
                yield stored, key, document
