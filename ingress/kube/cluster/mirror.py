"""
The objects of one kind as the API server has them.
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
from ingress.problem_code import Code
from ingress.steps import STRIDE, Steps


class Observer(Protocol):
    """Sees the text of each object, valid or not."""

    def saw(self, text: msgspec.Raw) -> None:
        """An object was added, or any part of it changed."""

    def lost(self, name: ObjectName) -> None:
        """An object is gone."""


class Mirror:
    """
    The objects of one list and of the watch that follows it.

    An unchanged object stays the same Python object. A faulty object has Problems, and its
    last good version stays, as with files.

    :param sink: receives each object that was added, changed or deleted.
    :param is_wanted: whether an object is kept; others are dropped unread.
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
        """All objects; None for those that cannot be used."""

        self._listed: dict[ObjectName, Reading] | None = None
        """The objects of the list under way so far; None if there is no such list."""

        self._admitted: set[ObjectName] = set()
        """Objects that were read by name while a list was under way."""

        self._expected: set[ObjectName] = set()

    def __repr__(self) -> str:
        state = f", {len(self._listed)} listed" if self._listed is not None else ""
        return f"<Mirror of {len(self._objects)} {self._resource}{state}>"

    def __iter__(self) -> Iterator[KubeObject]:
        """All objects that can be used; read it before any of them changes."""
        return (item for item in self._objects.values() if item is not None)

    @property
    def objects(self) -> Mapping[ObjectName, KubeObject | None]:
        """All objects of now; None for those that cannot be used."""
        return self._objects

    # A list.

    def begin_list(self) -> None:
        """Begin a list, and forget an unfinished one."""
        self._listed = {}
        self._admitted.clear()

    def take_page(self, items: Sequence[msgspec.Raw]) -> Steps[None]:
        """Take one page of the list, one object a step."""
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
        """End the list: objects that were in no page are gone."""
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
        """Take one event of a watch that is not a bookmark."""
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
        """Drop an object that is gone, or no longer wanted."""
        self._expected.discard(name)
        if name not in self._objects:
            return
        del self._objects[name]
        self._problems.put(self._key(name), ())
        self._sink.delete(self._key(name))
        if self._observer is not None:
            self._observer.lost(name)

    # Objects that are read by name.

    def expect(self, name: ObjectName) -> None:
        """The object is being read by name; an event of the watch that comes first is newer."""
        self._expected.add(name)

    def admit(self, name: ObjectName, text: bytes | None) -> None:
        """
        Take an object that was read by name, unless a newer version has come meanwhile.

        :param text: None if the object does not exist.
        """
        if name not in self._expected:
            return
        if text is None:
            self.forget(name)
        else:
            self._take(name, self._read(text, name))
        if self._listed is not None:
            # The list began before the object was wanted, and may have passed it already.
            self._admitted.add(name)
            self._listed.pop(name, None)

    # Inside.

    def _has_use_for(self, name: ObjectName) -> bool:
        return self._is_wanted is None or self._is_wanted(name)

    def _key(self, name: ObjectName) -> ObjectKey:
        return (self._resource.kind, *name)

    def _read(self, text: msgspec.Raw | bytes, name: ObjectName) -> Reading:
        """Read the object; an unchanged one is the Python object of before."""
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
        """Add a Problem that stays until the process ends: nothing identifies the object."""
        key = (self._resource.kind, "", "")
        problem = Problem(
            "an object without a name is ignored", self._resource.kind, code=Code.OBJECT_NAMELESS
        )
        self._problems.put(key, (problem,))
