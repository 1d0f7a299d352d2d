"""
All objects, and what has happened to them: what etcd is to the real server.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter

from tests.support.fake_api.kind import Document

Key = tuple[str, str]
"""Namespace, or nothing, and name; lists are in its order."""


class TooOld(Exception):
    """What happened since then has been forgotten."""


@dataclass(frozen=True)
class Change:
    """
    One write.

    :ivar before: None where the object is new.
    :ivar after: None where it is gone.
    """

    revision: int
    stored: str
    key: Key
    before: Document | None
    after: Document | None

    @property
    def last(self) -> Document:
        """The object as it is, or as it was last, with the revision of this change."""
        found = self.after or self.before
        assert found is not None
        if self.after is None:
            metadata = {**found["metadata"], "resourceVersion": str(self.revision)}
            return {**found, "metadata": metadata}
        return found


class Store:
    """
    :ivar revision: of the last write, whatever it was that it changed.
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
        """All objects of a kind as they are now."""
        return sorted(self._objects.get(stored, {}).items())

    def objects_at(self, stored: str, revision: int) -> list[tuple[Key, Document]]:
        """
        All objects of a kind as they were.

        :raises TooOld: if that is forgotten.
        """
        then: dict[Key, Document | None] = dict(self._objects.get(stored, {}))
        for change in reversed(self.changes_since(stored, revision)):
            then[change.key] = change.before
        return sorted((key, each) for key, each in then.items() if each is not None)

    def changes_since(self, stored: str, revision: int) -> list[Change]:
        """
        :raises TooOld: if any is forgotten.
        """
        if revision < self.forgotten:
            raise TooOld
        first = bisect_right(self._history, revision, key=attrgetter("revision"))
        return [change for change in self._history[first:] if change.stored == stored]

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """
        Have each change told from now on.

        :return: ends that.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # Writing.

    def put(self, stored: str, key: Key, document: Document) -> Document:
        """
        Keep an object, new or changed.

        :return: with the revision that it got.
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
        """Remove an object that is there."""
        self.revision += 1
        self._record(stored, key, self._objects[stored].pop(key), None)

    def _record(
        self, stored: str, key: Key, before: Document | None, after: Document | None
    ) -> None:
        change = Change(self.revision, stored, key, before, after)
        self._history.append(change)
        for listener in tuple(self._listeners):
            listener(change)

    # What may happen to a server.

    def forget_history(self) -> None:
        """Compaction: only the present is known, and what comes."""
        self._history.clear()
        self.forgotten = self.revision

    def lose(self, revision: int) -> None:
        """Everything is gone, and nobody is told; what is written next has a later revision."""
        assert revision > self.revision
        self._objects.clear()
        self.revision = revision
        self.forget_history()

    def everything(self) -> Iterator[tuple[str, Key, Document]]:
        for stored, objects in self._objects.items():
            for key, document in objects.items():
                yield stored, key, document
