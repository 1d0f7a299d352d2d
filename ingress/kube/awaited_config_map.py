"""
The ConfigMap that the configuration names, while it may be in something that cannot be read.

It may decide access. As long as no file has shown it, and there is a file, folder or document that
may hold it, its keys are not absent but unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ingress import late
from ingress.kube.folder import Listing
from ingress.kube.manifest_file import ManifestFile
from ingress.kube.objects import ConfigMap, KubeObject, Metadata, ObjectKey, ObjectName
from ingress.kube.store import key_of
from ingress.kube.unread import Unread
from ingress.problem import Origin, printable

Find = Callable[[ObjectKey], KubeObject | None]
"""Returns the object of a key that a file has; None if none has it."""


class AwaitedConfigMap:
    """
    :param name: of the ConfigMap; None if the configuration names none.
    """

    def __init__(self, name: ObjectName | None) -> None:
        self._name = name
        self._is_known = False
        self._unknown: ConfigMap | None = None
        self._former: list[ObjectKey] = []
        self._waiting: list[late.Deferred[None]] = []
        self._answered: list[late.Deferred[None]] = []
        self.unsettled: dict[str, None] = {}
        """Files that have changed while they were read, and are to be read again."""

    def __repr__(self) -> str:
        return f"<AwaitedConfigMap {self._name}>"

    def configure(self, name: ObjectName | None) -> late.Deferred[None]:
        """
        Take the name from another configuration.

        :return: fires when the store says whether it is known: after the next `changes`, unless
            the name is as before.
        """
        if name == self._name:
            return late.succeed(None)
        if self._unknown is not None:
            self._former.append(key_of(self._unknown))
        self._name, self._is_known, self._unknown = name, False, None
        self._waiting.append(late.Deferred())
        return self._waiting[-1]

    def changes(
        self, find: Find, files: Iterable[ManifestFile], listing: Listing
    ) -> tuple[list[KubeObject], list[ObjectKey]]:
        """
        :param files: all that were read.
        :param listing: the last scan.
        :return: what the store has to have, and what it must not have. If the ConfigMap has
            never been known, and may be where nothing can be read, that is one of which no
            key can be read.
        """
        upserts: list[KubeObject] = []
        deletes: list[ObjectKey] = []
        former, self._former = self._former, []
        self._answered, self._waiting = [*self._answered, *self._waiting], []
        own: list[ObjectKey] = [] if self._name is None else [("ConfigMap", *self._name)]
        for key in (*former, *own):
            item = find(key)
            if key in own:
                item = self._known_or_unknown(item, files, listing)
            if item is None:
                deletes.append(key)
            else:
                upserts.append(item)
        return upserts, deletes

    def applied(self) -> None:
        """The store has what `changes` returned last."""
        answered, self._answered = self._answered, []
        for each in answered:
            each.callback(None)

    def stop(self) -> None:
        """Let nobody wait any more."""
        self._answered += self._waiting
        self._waiting = []
        self.applied()

    def _known_or_unknown(
        self, item: KubeObject | None, files: Iterable[ManifestFile], listing: Listing
    ) -> KubeObject | None:
        self._is_known = self._is_known or item is not None
        if self._is_known:
            return item
        place = next(filter(self._may_hold, self._places(files, listing)), None)
        if place is None or self._name is None:
            self._unknown = None
        elif self._unknown is None or self._unknown.origin != place.origin:
            namespace, name = self._name
            metadata = Metadata(name=name, namespace=namespace)
            self._unknown = ConfigMap(metadata=metadata, unreadable=("",), origin=place.origin)
        return self._unknown

    def _may_hold(self, place: Unread) -> bool:
        return self._name is not None and place.may_hold(self._name)

    def _places(self, files: Iterable[ManifestFile], listing: Listing) -> Iterator[Unread]:
        for path in (*listing.unread, *self.unsettled):
            yield Unread(Origin(printable(path)))
        for file in files:
            yield from file.unread
