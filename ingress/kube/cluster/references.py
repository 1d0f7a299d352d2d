"""
Keeps track of who references which Secrets, and which of them are known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping

from ingress.kube.cluster.referenced import ReferencedObjects
from ingress.kube.objects import ObjectKey


class References:
    """
    All referenced objects, of every kind.

    :param objects: the referenced objects by kind.
    :param changed: called when an object has become known.
    """

    def __init__(
        self, objects: Mapping[str, ReferencedObjects], changed: Callable[[], None]
    ) -> None:
        self._objects = objects
        self._changed = changed
        self._keys: dict[Hashable, frozenset[ObjectKey]] = {}
        self._users: Counter[ObjectKey] = Counter()
        self._waiting: dict[ObjectKey, dict[Hashable, None]] = {}
        self._missing: dict[Hashable, set[ObjectKey]] = {}
        self._calls: dict[Hashable, Callable[[], None]] = {}
        for each in objects.values():
            each.became_known = self._became_known

    def __repr__(self) -> str:
        return f"<References: {len(self._users)} objects, {len(self._calls)} waiting>"

    def of(self, user: Hashable) -> frozenset[ObjectKey]:
        """The objects that a user references."""
        return self._keys.get(user, frozenset())

    def move(self, user: Hashable, keys: frozenset[ObjectKey]) -> None:
        """
        Replace the objects that a user references.

        An object that nobody references any more is forgotten at once; a new one is read with
        the next `read`.
        """
        before = self.of(user)
        if keys:
            self._keys[user] = keys
        else:
            self._keys.pop(user, None)
        for key in keys - before:
            self._users[key] += 1
            if self._users[key] == 1:
                self._objects[key[0]].want(key[1:])
        for key in before - keys:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key]
                self._objects[key[0]].forget(key[1:])
                # Nobody will read it any more, so nobody may wait for it any longer.
                self._became_known(key)

    def read(self) -> None:
        """Read everything that became referenced since the last call."""
        for each in self._objects.values():
            each.read()

    def is_known(self, key: ObjectKey) -> bool:
        """Whether it was read, or is known not to exist."""
        return self._objects[key[0]].is_known(key[1:])

    def wait(self, user: Hashable, keys: Iterable[ObjectKey], call: Callable[[], None]) -> bool:
        """
        Call when all of these objects, which the user references, are known. A later `wait` of
        the same user replaces an earlier one.

        :return: whether there is anything to wait for; if not, `call` is never called.
        """
        self.wait_no_more(user)
        missing = {key for key in keys if not self.is_known(key)}
        if not missing:
            return False
        self._missing[user] = missing
        self._calls[user] = call
        for key in missing:
            self._waiting.setdefault(key, {})[user] = None
        return True

    def wait_no_more(self, user: Hashable) -> None:
        """End the wait without calling."""
        for key in self._missing.pop(user, ()):
            waiting = self._waiting[key]
            del waiting[user]
            if not waiting:
                del self._waiting[key]
        self._calls.pop(user, None)

    def _became_known(self, key: ObjectKey) -> None:
        for user in self._waiting.pop(key, ()):
            missing = self._missing[user]
            missing.discard(key)
            if not missing:
                del self._missing[user]
                self._calls.pop(user)()
        self._changed()
