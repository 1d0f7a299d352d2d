"""
The ObjectStore: all current objects, from every source.

Each kind has one writer at a time; readers take a view and keep it. A change replaces the
mappings of the kinds that it touches and keeps all others, so a reader recognises by identity
what has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from ingress.kube.objects import KubeObject, ObjectKey, ObjectName, Objects
from ingress.steps import STRIDE, Steps, finish

FIELDS: Final = {
    "Ingress": "ingresses",
    "IngressClass": "ingress_classes",
    "Service": "services",
    "EndpointSlice": "endpoint_slices",
    "Endpoints": "endpoints",
    "Secret": "secrets",
    "ConfigMap": "config_maps",
    "ResolvedName": "resolved_names",
}
"""For each kind, the field of Objects that holds it."""


def key_of(item: KubeObject) -> ObjectKey:
    """What identifies the object: its kind, namespace and name."""
    return (type(item).__name__, *item.key)


class ObjectStore:
    """All objects; calls its subscribers once for each change."""

    def __init__(self) -> None:
        self.generation = 0
        """The number of changes so far."""

        self._objects = Objects()
        self._subscribers: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        counts = (f"{len(getattr(self._objects, field))} {field}" for field in FIELDS.values())
        return f"<ObjectStore generation {self.generation}: {', '.join(counts)}>"

    def view(self) -> Objects:
        """All current objects; the returned value never changes."""
        return self._objects

    def get(self, key: ObjectKey) -> KubeObject | None:
        """One object; None if it does not exist."""
        kind, *name = key
        found: KubeObject | None = getattr(self._objects, FIELDS[kind]).get(tuple(name))
        return found

    def subscribe(self, changed: Callable[[], None]) -> Callable[[], None]:
        """
        Call ``changed`` after every change from now on.

        :return: call it to end the subscription.
        """
        self._subscribers.append(changed)

        def unsubscribe() -> None:
            if changed in self._subscribers:
                self._subscribers.remove(changed)

        return unsubscribe

    def apply(self, upserts: Iterable[KubeObject] = (), deletes: Iterable[ObjectKey] = ()) -> bool:
        """
        Add or replace objects, and delete others.

        Deletes come first. Subscribers are called once, and only if anything has changed.

        :return: whether anything has changed.
        """
        return finish(self.apply_in_steps(upserts, deletes))

    def apply_in_steps(
        self, upserts: Iterable[KubeObject] = (), deletes: Iterable[ObjectKey] = ()
    ) -> Steps[bool]:
        """
        Apply a change in steps; it becomes visible when it is complete. Until then there must be
        no other change of the same kinds.
        """
        changed: dict[str, dict[ObjectName, Any]] = {}
        for count, (kind, namespace, name) in enumerate(deletes):
            if (namespace, name) in self._current(changed, FIELDS[kind]):
                del self._writable(changed, FIELDS[kind])[namespace, name]
            if count % STRIDE == STRIDE - 1:
                yield
        for count, item in enumerate(upserts):
            field, key = FIELDS[type(item).__name__], item.key
            if self._current(changed, field).get(key) is not item:
                self._writable(changed, field)[key] = item
            if count % STRIDE == STRIDE - 1:
                yield
        if not changed:
            return False
        self._objects = msgspec.structs.replace(self._objects, **changed)
        self.generation += 1
        for subscriber in tuple(self._subscribers):
            subscriber()
        return True

    def _current(
        self, changed: dict[str, dict[ObjectName, Any]], field: str
    ) -> dict[ObjectName, Any]:
        found: dict[ObjectName, Any] = getattr(self._objects, field)
        return changed.get(field, found)

    def _writable(
        self, changed: dict[str, dict[ObjectName, Any]], field: str
    ) -> dict[ObjectName, Any]:
        if field not in changed:
            changed[field] = dict(getattr(self._objects, field))
        return changed[field]
