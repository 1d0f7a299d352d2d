"""
Finding changed objects and their users: diffs by identity, and indexes.

Unchanged objects are the same Python objects, so a diff compares every name once by
``is``, and an unchanged kind costs nothing at all.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from heapq import merge
from itertools import islice
from typing import Any, Generic, TypeVar

from ingress.steps import STRIDE, Steps

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)
Row = TypeVar("Row", bound=tuple[Any, ...])


def changed_names(old: Mapping[K, object], new: Mapping[K, object]) -> Steps[set[K]]:
    """
    :return: the names that were added or removed, or that now stand for another object.
    """
    changed: set[K] = set()
    if old is new:
        return changed
    added = 0
    for count, (name, value) in enumerate(new.items()):
        before = old.get(name)
        if before is not value:
            changed.add(name)
            added += before is None
        if not count % STRIDE:
            yield
    if len(new) - added != len(old):
        changed.update(old.keys() - new.keys())
        yield
    return changed


def sorted_in_steps(items: Collection[Row]) -> Steps[list[Row]]:
    """Sort as `sorted` does, which would take 20 ms for 20,000 endpoints."""
    if len(items) <= STRIDE:
        return sorted(items)
    runs: list[list[Row]] = []
    rest = iter(items)
    while run := list(islice(rest, STRIDE)):
        run.sort()
        runs.append(run)
        yield
    found: list[Row] = []
    for count, item in enumerate(merge(*runs)):
        found.append(item)
        if count % STRIDE == STRIDE - 1:
            yield
    return found


def collected_in_steps(*parts: Iterable[K]) -> Steps[set[K]]:
    """:return: all items of all parts; ten thousand at once would take some milliseconds."""
    found: set[K] = set()
    for part in parts:
        rest = iter(part)
        while some := tuple(islice(rest, STRIDE)):
            found.update(some)
            yield
    return found


Index = Mapping[K, AbstractSet[V]]
"""The users of each key; every key has at least one user."""


class IndexUpdate(Generic[K, V]):
    """
    A changed copy of an Index; the original is not changed.

    Only the sets that change are copied, each once.
    """

    def __init__(self, index: Index[K, V]) -> None:
        self._original = index
        self._written: dict[K, set[V]] = {}

    def __repr__(self) -> str:
        return f"<IndexUpdate of {len(self._original)} keys, {len(self._written)} written>"

    def move(self, user: V, old: Iterable[K], new: Iterable[K]) -> None:
        """Record that `user` used the keys `old` and now uses the keys `new`."""
        before, after = frozenset(old), frozenset(new)
        for key in before - after:
            self._users(key).discard(user)
        for key in after - before:
            self._users(key).add(user)

    def finish(self) -> Steps[Index[K, V]]:
        """Return the changed copy; the original itself if nothing changed."""
        if not self._written:
            return self._original
        index = dict(self._original)
        for count, (key, users) in enumerate(self._written.items()):
            if users:
                index[key] = users
            else:
                index.pop(key, None)
            if count % STRIDE == STRIDE - 1:
                yield
        return index

    def _users(self, key: K) -> set[V]:
        users = self._written.get(key)
        if users is None:
            users = self._written[key] = set(self._original.get(key, ()))
        return users
