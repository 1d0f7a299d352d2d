"""
Who gives which object: several files may claim the same one, the first in order has it.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping

from ingress.kube.manifest_file import ManifestFile, twice
from ingress.kube.objects import KubeObject, ObjectKey
from ingress.problem import Origin, Problem

Order = tuple[int, str]


class Claims:
    """The files, by their order, and the objects that each claims."""

    def __init__(self) -> None:
        self._files: dict[Order, ManifestFile] = {}
        self._claimants: dict[ObjectKey, list[Order]] = {}

    def replace(self, order: Order, file: ManifestFile | None) -> set[ObjectKey]:
        """
        Take over what a file gives now; None if it is gone.

        :return: the objects that may have another version, or none, from now on.
        """
        before = self._files.pop(order, None)
        old: Mapping[ObjectKey, KubeObject] = before.objects if before else {}
        new: Mapping[ObjectKey, KubeObject] = file.objects if file else {}
        if file is not None:
            self._files[order] = file
        for key in old.keys() - new.keys():
            claimants = self._claimants[key]
            claimants.remove(order)
            if not claimants:
                del self._claimants[key]
        for key in new.keys() - old.keys():
            insort(self._claimants.setdefault(key, []), order)
        return {key for key in old.keys() | new.keys() if old.get(key) is not new.get(key)}

    def find(self, key: ObjectKey) -> KubeObject | None:
        """The object as the first file has it; None if no file does."""
        claimants = self._claimants.get(key)
        return self._files[claimants[0]].objects[key] if claimants else None

    def losers(self, key: ObjectKey) -> list[Order]:
        """The files whose version of the object is not served."""
        return self._claimants.get(key, [])[1:]

    def loss(self, key: ObjectKey, order: Order) -> Problem:
        """The Problem of a file whose version of an object is not served."""
        return twice(key, self._place(key, order), self._place(key, self._claimants[key][0]))

    def _place(self, key: ObjectKey, order: Order) -> Origin:
        file = self._files[order]
        return Origin(file.objects[key].origin.file, file.lines[key])
