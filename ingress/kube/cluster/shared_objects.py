"""
Objects of one kind that several Mirrors may have.

A ConfigMap may be read because it is one of ingress-nginx, and because something names it. It stays
in the store as long as one of its Mirrors has it.
"""

from __future__ import annotations

from ingress.kube.cluster.store_batch import Sink
from ingress.kube.objects import KubeObject, ObjectKey
from ingress.kube.store import key_of


class SharedObjects:
    """
    :param sink: receives the objects, each change once.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._items: dict[ObjectKey, KubeObject] = {}
        self._holders: dict[ObjectKey, set[Share]] = {}

    def __repr__(self) -> str:
        return f"<SharedObjects: {len(self._items)}>"

    def share(self) -> Share:
        """:return: a `Sink` for one Mirror."""
        return Share(self)

    def put(self, item: KubeObject, share: Share) -> None:
        """One Mirror has an object, or another version of it."""
        key = key_of(item)
        self._holders.setdefault(key, set()).add(share)
        if self._items.get(key) != item:
            self._items[key] = item
            self._sink.put(item)

    def delete(self, key: ObjectKey, share: Share) -> None:
        """One Mirror has an object no more."""
        holders = self._holders.get(key, set())
        holders.discard(share)
        if not holders:
            self._holders.pop(key, None)
            self._items.pop(key, None)
            self._sink.delete(key)


class Share:
    """The `Sink` of one Mirror."""

    def __init__(self, objects: SharedObjects) -> None:
        self._objects = objects

    def __repr__(self) -> str:
        return f"<Share of {self._objects}>"

    def put(self, item: KubeObject) -> None:
        """The object was added or changed (`Sink`)."""
        self._objects.put(item, self)

    def delete(self, key: ObjectKey) -> None:
        """The object was deleted, as far as this Mirror knows (`Sink`)."""
        self._objects.delete(key, self)
