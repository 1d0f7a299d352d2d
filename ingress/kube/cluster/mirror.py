"""
What the API server has of one kind, as far as it can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from ingress.kube.cluster.problem_book import ProblemBook
from ingress.kube.cluster.reading import read_object
from ingress.kube.cluster.resource import Resource
from ingress.kube.cluster.store_batch import Sink
from ingress.kube.cluster.wire import DELETED, Head, decode_head
from ingress.kube.manifest import Reading
from ingress.kube.objects import KubeObject, ObjectKey, ObjectName
from ingress.kube.remains import is_remains
from ingress.problem import Problem
from ingress.steps import STRIDE, Steps


class Observer(Protocol):
    """Sees each object as it came, whatever becomes of it."""

    def saw(self, text: msgspec.Raw) -> None:
        """An object is there, or has changed in whatever way."""

    def lost(self, name: ObjectName) -> None:
        """An object is gone."""


class Mirror:
    """
    The objects of one list and of the watch that follows it.

    An object that is as before stays the same Python object. One that has a fault has
    Problems; its last good version stays, as with files.

    :param sink: takes each object that came, changed or went.
    :param is_wanted: whether an object is to be kept; others are dropped unread.
    """

    def __init__(
        self,
        resource: Resource,
        sink: Sink,
        problems: ProblemBook,
        is_wanted: Callable[[ObjectName], bool] | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._resource = resource
        self._sink = sink
        self._problems = problems
        self._is_wanted = is_wanted
        self._observer = observer
        self._objects: dict[ObjectName, KubeObject | None] = {}
        """All that are there; None for those that cannot be used."""

        self._listed: dict[ObjectName, Reading] | None = None
        """While a list is under way: what it has given so far."""

        self._admitted: set[ObjectName] = set()
        """What became known by other ways while a list was under way."""

        self._expected: set[ObjectName] = set()

    def __repr__(self) -> str:
        state = f", {len(self._listed)} listed" if self._listed is not None else ""
        return f"<Mirror of {len(self._objects)} {self._resource}{state}>"

    def __iter__(self) -> Iterator[KubeObject]:
        """All that can be used; at once, before any of them changes."""
        return (item for item in self._objects.values() if item is not None)

    @property
    def objects(self) -> Mapping[ObjectName, KubeObject | None]:
        """All that are there, as of now; None for those that cannot be used."""
        return self._objects

    # A list.

    def begin_list(self) -> None:
        """A list begins; what an earlier one gave that came to no end is forgotten."""
        self._listed = {}
        self._admitted.clear()

    def take_page(self, items: Sequence[msgspec.Raw]) -> Steps[None]:
        """Some of what there is, one object a step."""
        listed = self._listed
        for item in items:
            head = decode_head(item)
            if listed is None or listed is not self._listed:
                return  # Another list has begun.
            if head is None or not head.metadata.name:
                self._refuse_nameless()
            elif self._has_use_for(head.name):
                listed[head.name] = self._read(item, head.name)
                if self._observer is not None:
                    self._observer.saw(item)
            yield

    def end_list(self) -> Steps[None]:
        """All that there is was in the pages: the rest has vanished."""
        listed, self._listed = self._listed, None
        assert listed is not None, "a list that was not begun"
        for count, (name, reading) in enumerate(listed.items()):
            if self._has_use_for(name):
                self._take(name, reading)
            if count % STRIDE == STRIDE - 1:
                yield
        vanished = self._objects.keys() - listed.keys() - self._admitted
        self._admitted.clear()
        for count, name in enumerate(vanished):
            self.forget(name)
            if count % STRIDE == STRIDE - 1:
                yield

    # Changes.

    def take_event(self, change: str, item: msgspec.Raw, head: Head) -> None:
        """One event of a watch, but no bookmark."""
        name = head.name
        if not self._has_use_for(name):
            return
        if change == DELETED:
            self.forget(name)
            return
        if self._observer is not None:
            self._observer.saw(item)
        self._take(name, self._read(item, name))

    def forget(self, name: ObjectName) -> None:
        """It is gone, or nobody wants it any more."""
        self._expected.discard(name)
        if name not in self._objects:
            return
        del self._objects[name]
        self._problems.put(self._key(name), ())
        self._sink.delete(self._key(name))
        if self._observer is not None:
            self._observer.lost(name)

    # What is read besides.

    def expect(self, name: ObjectName) -> None:
        """The object is being read by itself; if the watch speaks of it first, that is newer."""
        self._expected.add(name)

    def admit(self, name: ObjectName, text: bytes | None) -> None:
        """
        What reading it by itself came to; of no use if nobody expects it any more.

        :param text: None where there is no such object.
        """
        if name not in self._expected:
            return
        if text is None:
            self.forget(name)
        else:
            self._take(name, self._read(text, name))
        if self._listed is not None:
            # The list began before anybody wanted it, and may have passed it by.
            self._admitted.add(name)
            self._listed.pop(name, None)

    # Inside.

    def _has_use_for(self, name: ObjectName) -> bool:
        return self._is_wanted is None or self._is_wanted(name)

    def _key(self, name: ObjectName) -> ObjectKey:
        return (self._resource.kind, *name)

    def _read(self, text: msgspec.Raw | bytes, name: ObjectName) -> Reading:
        """The object, which is the one of before if nothing has changed."""
        reading = read_object(text, self._key(name))
        known = self._objects.get(name)
        if known is not None and reading.item == known:
            return msgspec.structs.replace(reading, item=known)
        return reading

    def _take(self, name: ObjectName, reading: Reading) -> None:
        self._expected.discard(name)
        self._problems.put(self._key(name), reading.problems)
        known, item = self._objects.get(name), reading.item
        if item is None or is_remains(item):
            is_good = known is not None and not is_remains(known)
            item = known if is_good else item
        self._objects[name] = item
        if item is known:
            return
        if item is None:
            self._sink.delete(self._key(name))
        else:
            self._sink.put(item)

    def _refuse_nameless(self) -> None:
        """As long as the process runs: which object it is that has none, nobody knows."""
        key = (self._resource.kind, "", "")
        problem = Problem("an object without a name is ignored", self._resource.kind)
        self._problems.put(key, (problem,))
