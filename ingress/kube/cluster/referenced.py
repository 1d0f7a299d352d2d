"""
The Secrets, or the ConfigMaps, that somebody references.

With the right to list them they come out of a list of all, for the cluster or for each
namespace. Without it, each one is watched by its name, or read now and then where there are
many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IDelayedCall

from ingress.kube.cluster.contact import Contact
from ingress.kube.cluster.mirror import Mirror
from ingress.kube.cluster.problem_book import ProblemBook
from ingress.kube.cluster.reflector import Access
from ingress.kube.cluster.resource import Resource, Target
from ingress.kube.cluster.scope_list import LOOKUPS_AT_ONCE, ScopeList
from ingress.kube.cluster.single_object import PolledObject, SingleObject, WatchedObject
from ingress.kube.cluster.store_batch import Sink
from ingress.kube.objects import ObjectKey, ObjectName

MAX_WATCHED: Final = 100
"""Objects that are watched by their names: each is a connection. The others are polled."""


class ReferencedObjects:
    """
    Those of one kind.

    :param namespaces: those whose objects are read; empty for all. An object elsewhere, which
        the configuration may name, is read by its name.
    :param sink: takes the objects.
    :ivar became_known: called with each object that was read for the first time since it
        came to be wanted, or turned out not to be there.
    :ivar changed: called when a `Contact` has news.
    """

    def __init__(
        self,
        access: Access,
        resource: Resource,
        namespaces: tuple[str, ...],
        sink: Sink,
        problems: ProblemBook,
    ) -> None:
        self.became_known: Callable[[ObjectKey], None] = lambda key: None
        self.changed: Callable[[], None] = lambda: None
        self._access = access
        self._resource = resource
        self._namespaces = namespaces
        self._sink = sink
        self._problems = problems
        self._scopes: dict[str, _Scope] = {}
        self._singles: dict[ObjectName, SingleObject] = {}
        self._watched: set[ObjectName] = set()
        self._slots = DeferredSemaphore(LOOKUPS_AT_ONCE)
        self._wanted: set[ObjectName] = set()
        self._unread: dict[ObjectName, None] = {}  # in place of a set, for the order
        self._known: set[ObjectName] = set()
        self._unreviewed: dict[ObjectName, None] = {}
        self._review_call: IDelayedCall | None = None

    def __repr__(self) -> str:
        return f"<ReferencedObjects: {len(self._known)} of {len(self._wanted)} {self._resource}>"

    @property
    def contacts(self) -> Iterator[Contact]:
        """How it goes; a list that is refused is none of it, as there are other ways."""
        for scope in self._scopes.values():
            # It is told of before its Owner is, who then reads in another way.
            if not scope.list.is_refused and not scope.list.contact.is_forbidden:
                yield scope.list.contact
        for single in self._singles.values():
            yield single.contact

    def is_known(self, name: ObjectName) -> bool:
        """Whether the object was read, or is known not to exist."""
        return name in self._known

    def want(self, name: ObjectName) -> None:
        """Somebody references the object from now on; `read` reads it."""
        self._wanted.add(name)
        self._unread[name] = None

    def read(self) -> None:
        """Read all that came to be wanted since the last time."""
        unread, self._unread = self._unread, {}
        by_scope: dict[str, list[ObjectName]] = {}
        for name in unread:
            scope = self._scope_of(name)
            if scope is None or (scope in self._scopes and self._scopes[scope].list.is_refused):
                self._read_single(name)
            else:
                by_scope.setdefault(scope, []).append(name)
        for scope, names in by_scope.items():
            if scope not in self._scopes:
                self._scopes[scope] = _Scope(self, scope)
            self._scopes[scope].list.read(names)

    def forget(self, name: ObjectName) -> None:
        """Nobody references the object any more."""
        self._wanted.discard(name)
        self._known.discard(name)
        self._unread.pop(name, None)
        scope = self._scope_of(name)
        if scope in self._scopes:
            self._scopes[scope].list.forget(name)
        single = self._stop_single(name)
        if single is not None:
            single.mirror.forget(name)

    def stop(self) -> None:
        """Follow nothing any longer."""
        for scope in self._scopes.values():
            scope.list.stop()
        for single in self._singles.values():
            single.stop()
        if self._review_call is not None:
            self._review_call.cancel()
            self._review_call = None

    # Inside, and for `_Scope`.

    def _scope_of(self, name: ObjectName) -> str | None:
        """The namespace whose list has the object; empty for that of all, None for none."""
        if not self._namespaces:
            return ""
        return name[0] if name[0] in self._namespaces else None

    def make_list(self, namespace: str, owner: _Scope) -> ScopeList:
        """Of all objects in a namespace."""
        mirror = Mirror(self._resource, self._sink, self._problems, self._wanted.__contains__)
        target = Target(self._resource, namespace)
        return ScopeList(self._access, target, mirror, owner, self._list_changed)

    def _list_changed(self) -> None:
        self.changed()

    def names_in(self, namespace: str) -> list[ObjectName]:
        """What is wanted of the list of a namespace."""
        return [name for name in self._wanted if self._scope_of(name) == namespace]

    def know(self, name: ObjectName, mirror: Mirror) -> None:
        """
        The object was read, or is known not to exist.

        :param mirror: which has it, or has it not.
        """
        if name not in mirror.objects:
            # It may have been read in another way before, by another Mirror.
            self._sink.delete((self._resource.kind, *name))
            self._problems.put((self._resource.kind, *name), ())
        if name in self._wanted and name not in self._known:
            self._known.add(name)
            self.became_known((self._resource.kind, *name))

    # Objects by their names.

    def read_singles(self, namespace: str) -> None:
        """What the list of a namespace would have given."""
        for name in self.names_in(namespace):
            if name not in self._singles:
                self._read_single(name)

    def drop_singles(self, namespace: str, scope_list: ScopeList) -> None:
        """Read no longer one by one what a list has; what it has not, it looks up once more."""
        unlisted: list[ObjectName] = []
        for name in self.names_in(namespace):
            is_single = self._stop_single(name) is not None
            if is_single and name not in scope_list.mirror.objects:
                unlisted.append(name)
        scope_list.read(unlisted)

    def _read_single(self, name: ObjectName) -> None:
        if len(self._watched) < MAX_WATCHED:
            self._watched.add(name)
            self._start(name, WatchedObject(*self._surroundings(name)))
        else:
            self._poll(name)

    def _poll(self, name: ObjectName) -> None:
        self._start(name, PolledObject(*self._surroundings(name), self._slots))

    def _surroundings(self, name: ObjectName) -> tuple[Access, Target, Mirror, Callable[[], None]]:
        mirror = Mirror(self._resource, self._sink, self._problems)
        changed = partial(self._single_changed, name)
        return self._access, Target(self._resource, *name), mirror, changed

    def _start(self, name: ObjectName, single: SingleObject) -> None:
        self._singles[name] = single
        single.start()

    def _stop_single(self, name: ObjectName) -> SingleObject | None:
        self._watched.discard(name)
        single = self._singles.pop(name, None)
        if single is not None:
            single.stop()
        return single

    def _single_changed(self, name: ObjectName) -> None:
        # It is the object's own coroutine that calls, and may be what has to be stopped.
        self._unreviewed[name] = None
        if self._review_call is None:
            self._review_call = self._access.clock.callLater(0, self._review)
        self.changed()

    def _review(self) -> None:
        self._review_call = None
        unreviewed, self._unreviewed = self._unreviewed, {}
        for name in unreviewed:
            if name in self._singles:
                self._review_single(name, self._singles[name])

    def _review_single(self, name: ObjectName, single: SingleObject) -> None:
        contact = single.contact
        if contact.is_forbidden and isinstance(single, WatchedObject):
            # Perhaps it may be read, if not watched.
            self._stop_single(name)
            self._poll(name)
        elif name not in self._known and (contact.has_synced or contact.is_forbidden):
            self.know(name, single.mirror)


class _Scope:
    """The `Owner` of the list of one namespace, or of all."""

    def __init__(self, objects: ReferencedObjects, namespace: str) -> None:
        self._objects = objects
        self._namespace = namespace
        self.list = objects.make_list(namespace, self)

    def known(self, name: ObjectName) -> None:
        self._objects.know(name, self.list.mirror)

    def refused(self) -> None:
        self._objects.read_singles(self._namespace)

    def granted(self) -> None:
        self._objects.drop_singles(self._namespace, self.list)
