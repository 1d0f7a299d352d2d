"""
Which file provides which object: of several files with the same one, the first counts.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping

from ingress.kube.manifest_file import ManifestFile, twice
from ingress.kube.objects import KubeObject, ObjectKey
from ingress.kube.remains import is_remains
from ingress.problem import Origin, Problem, printable
from ingress.steps import STRIDE, Steps

Order = tuple[int, str]


class Claims:
    """The files, by their order, and the objects that each claims."""

    def __init__(self) -> None:
        self._files: dict[Order, ManifestFile] = {}
        self._claimants: dict[ObjectKey, list[Order]] = {}
        self.losses: dict[ObjectKey, dict[str, Problem]] = {}
        """The Problems of the files whose version of an object is not served, by their paths."""

    def replace(self, order: Order, file: ManifestFile | None) -> Steps[list[ObjectKey]]:
        """
        Take over the new content of a file; None if it is gone.

        :return: the keys of objects that may have changed or may be gone.
        """
        before = self._files.pop(order, None)
        old: Mapping[ObjectKey, KubeObject] = before.objects if before else {}
        new: Mapping[ObjectKey, KubeObject] = file.objects if file else {}
        if file is not None:
            self._files[order] = file
        affected: list[ObjectKey] = []
        for count, key in enumerate(old):
            if key not in new:
                self._withdraw(key, order)
                affected.append(key)
            if count % STRIDE == STRIDE - 1:
                yield
        for count, (key, item) in enumerate(new.items()):
            known = old.get(key)
            if known is None:
                insort(self._claimants.setdefault(key, []), order)
            if known is not item:
                affected.append(key)
            if count % STRIDE == STRIDE - 1:
                yield
        return affected

    def _withdraw(self, key: ObjectKey, order: Order) -> None:
        claimants = self._claimants[key]
        claimants.remove(order)
        if not claimants:
            del self._claimants[key]

    def find(self, key: ObjectKey) -> KubeObject | None:
        """The object from the first file in which it is valid; None if no file has it."""
        if key not in self._claimants:
            return None
        return self._files[self._winner(key)].objects[key]

    def losers(self, key: ObjectKey) -> list[Order]:
        """The files whose version of the object is not served."""
        if key not in self._claimants:
            return []
        winner = self._winner(key)
        return [order for order in self._claimants[key] if order != winner]

    def settle(
        self, affected: Mapping[ObjectKey, None]
    ) -> Steps[tuple[list[KubeObject], list[ObjectKey]]]:
        """
        Renew the losses of objects.

        :param affected: what `replace` returned.
        :return: those that a file has, and the keys of those that none has.
        """
        upserts: list[KubeObject] = []
        deletes: list[ObjectKey] = []
        for count, key in enumerate(affected):
            if count % STRIDE == 0:
                yield
            item = self.find(key)
            if item is None:
                deletes.append(key)
            else:
                upserts.append(item)
            self.judge(key)
        return upserts, deletes

    def judge(self, key: ObjectKey) -> None:
        """Renew the losses of an object after its claimants have changed."""
        self.losses.pop(key, None)
        losers = self.losers(key)
        if losers:
            self.losses[key] = {printable(order[1]): self.loss(key, order) for order in losers}

    def loss(self, key: ObjectKey, order: Order) -> Problem:
        """The Problem of a file whose version of an object is not served."""
        return twice(key, self._place(key, order), self._place(key, self._winner(key)))

    def _winner(self, key: ObjectKey) -> Order:
        claimants = self._claimants[key]
        if len(claimants) == 1:
            return claimants[0]
        # The first of those that are best: `min` keeps the order.
        return min(claimants, key=lambda order: is_remains(self._files[order].objects[key]))

    def _place(self, key: ObjectKey, order: Order) -> Origin:
        file = self._files[order]
        return Origin(file.objects[key].origin.file, file.lines[key])
