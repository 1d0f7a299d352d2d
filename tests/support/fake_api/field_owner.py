"""
``metadata.managedFields``: the owners of fields, which tell server-side apply what to remove.

A list has one owner as a whole. Items are never removed from lists that
`merge_strategic` merges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tests.support.fake_api.kind import Document

Path = tuple[str, ...]

Owner = tuple[str, str, str]
"""The manager's name, ``Apply`` or ``Update``, and the subresource, which may be empty."""

OF_THE_SERVER = {
    *(("kind",), ("apiVersion",)),
    *(
        ("metadata", name)
        for name in (
            *("name", "namespace", "uid", "resourceVersion", "generation"),
            *("creationTimestamp", "managedFields", "generateName"),
        )
    ),
}
"""Fields that belong to the server alone."""


def leaves(document: Document, above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield each field without fields of its own, with its value."""
    for key, value in document.items():
        path = (*above, key)
        if path in OF_THE_SERVER:
            continue
        if isinstance(value, dict) and value:
            yield from leaves(value, path)
        else:
            yield path, value


class FieldOwners:
    """The owners of one object's fields in one version of the object."""

    def __init__(self, document: Document) -> None:
        self._entries: dict[Owner, tuple[set[Path], str]] = {}
        for entry in document["metadata"].get("managedFields", ()):
            owner = (entry["manager"], entry["operation"], entry.get("subresource", ""))
            self._entries[owner] = (set(_paths(entry["fieldsV1"])), entry["time"])

    def of(self, owner: Owner) -> set[Path]:
        return self._entries.get(owner, (set(), ""))[0]

    def others(self, owner: Owner) -> Iterator[tuple[Owner, set[Path]]]:
        for other, (paths, _) in self._entries.items():
            if other != owner:
                yield other, paths

    def take(self, owner: Owner, changed: Iterable[Path], time: str) -> None:
        """Give `owner` sole ownership of these changed fields."""
        changed = set(changed)
        if not changed:
            return
        for other, paths in list(self.others(owner)):
            paths -= changed
            if not paths:
                del self._entries[other]
        self._entries[owner] = (self.of(owner) | changed, time)

    def apply(self, owner: Owner, changed: set[Path], applied: set[Path], time: str) -> None:
        """Record that `owner` applied exactly these fields, and changed some of them."""
        self.take(owner, changed & applied, time)
        if applied != self.of(owner):
            self._entries[owner] = (applied, time)

    def drop(self, gone: set[Path]) -> None:
        """Drop fields that no longer exist."""
        for owner, (paths, _) in list(self._entries.items()):
            paths -= gone
            if not paths:
                del self._entries[owner]

    def to_list(self, api_version: str) -> list[Document]:
        """Return the list in the form of the object."""
        return [
            {
                "manager": manager,
                "operation": operation,
                "apiVersion": api_version,
                "time": time,
                "fieldsType": "FieldsV1",
                "fieldsV1": _tree(paths),
                **({"subresource": subresource} if subresource else {}),
            }
            for (manager, operation, subresource), (paths, time) in sorted(self._entries.items())
        ]


def remove(document: Document, path: Path) -> Document:
    """Return a copy without one field."""
    key, *rest = path
    if key not in document:
        return document
    if rest:
        return {**document, key: remove(document[key], tuple(rest))}
    return {name: value for name, value in document.items() if name != key}


def _tree(paths: Iterable[Path]) -> Document:
    tree: Document = {}
    for path in sorted(paths):
        node = tree
        for key in path:
            node = node.setdefault(f"f:{key}", {})
    return tree


def _paths(tree: Document, above: Path = ()) -> Iterator[Path]:
    for key, below in tree.items():
        path = (*above, key.removeprefix("f:"))
        if below:
            yield from _paths(below, path)
        else:
            yield path
