"""
Holds IngressClasses back until their consequences are known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ingress.kube.cluster.store_batch import Sink
from ingress.kube.objects import IngressClass, KubeObject, ObjectKey, ObjectName
from ingress.kube.store import key_of


class HeldClasses:
    """
    A `Sink` for IngressClasses that passes them on when `pass_on` is called.

    :param changed: called when there is something to pass on.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.has_changed = True
        """Whether the classes have changed since `take`."""

        self._changed = changed
        self._there: dict[ObjectName, IngressClass] = {}
        self._passed: Mapping[ObjectName, IngressClass] = {}

    def __repr__(self) -> str:
        return f"<HeldClasses: {len(self._there)}>"

    def put(self, item: KubeObject) -> None:
        """A class was added or changed (`Sink`)."""
        assert isinstance(item, IngressClass), item
        self._there[item.key] = item
        self.change()

    def delete(self, key: ObjectKey) -> None:
        """A class is gone (`Sink`)."""
        self._there.pop(key[1:], None)
        self.change()

    def change(self) -> None:
        """The classes, or what follows from them, may have changed."""
        self.has_changed = True
        self._changed()

    def take(self) -> Mapping[ObjectName, IngressClass]:
        """All classes of now, whose consequences the caller works out."""
        self.has_changed = False
        return dict(self._there)

    def pass_on(self, classes: Mapping[ObjectName, IngressClass], sink: Sink) -> None:
        """Pass changes on. :param classes: the result of `take`."""
        before, self._passed = self._passed, classes
        for name, item in before.items():
            if name not in classes:
                sink.delete(key_of(item))
        for name, item in classes.items():
            if item is not before.get(name):
                sink.put(item)
