"""
The referenced objects of a kind: Secrets, ConfigMaps.

With the right to list them, Secrets are picked from a list of all, for the cluster or for each
namespace. Without it, each one is watched by its name, or, if they are many, read periodically.
ConfigMaps are always read by their names: few are referenced, and all of a cluster are many.
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
"""Objects that are watched by name, each on a connection of its own. More are polled."""


class ReferencedObjects:
    """
    The referenced objects of one kind.

    :param namespaces: the namespaces that are read; empty for all. An object elsewhere, which
        the configuration may name, is read by its name.
    :param sink: receives the objects.
    :param is_listed: whether they are picked from a list, if there is the right to.
    :ivar became_known: called with each wanted object when it was read for the first time, or
        turned out not to exist.
    :ivar changed: called when the state of a `Contact` has changed.
    """

    def __init__(
        self,
        access: Access,
        resource: Resource,
        namespaces: tuple[str, ...],
        sink: Sink,
        problems: ProblemBook,
        *,
        is_listed: bool = True,
    ) -> None:
        self.is_listed = is_listed
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
        self._unwatchable: set[ObjectName] = set()
        """Objects that may be listed by their names, but not watched."""

        self._past_relists = self._past_failures = 0
        """Of watches of single objects that have ended."""

        self._slots = DeferredSemaphore(LOOKUPS_AT_ONCE)
        self._wanted: set[ObjectName] = set()
        self._unread: dict[ObjectName, None] = {}  # in place of a set, for the order
        self._known: set[ObjectName] = set()
        self._read: set[ObjectName] = set()
        self._unreviewed: dict[ObjectName, None] = {}
        self._review_call: IDelayedCall | None = None

    def __repr__(self) -> str:
        return f"<ReferencedObjects: {len(self._known)} of {len(self._wanted)} {self._resource}>"

    @property
    def contacts(self) -> Iterator[Contact]:
        """The states of all connections; without refused lists, as there are other ways."""
        for scope in self._scopes.values():
            # The Contact knows before the Owner does, which then reads in another way.
            if not scope.list.is_refused and not scope.list.contact.lacks_right:
                yield scope.list.contact
        for single in self._singles.values():
            yield single.contact

    @property
    def kind(self) -> str:
        """The kind of the objects."""
        return self._resource.kind

    @property
    def relists(self) -> int:
        """How often everything was listed again because changes were missed."""
        return self._past_relists + sum(each.relists for each in self._watches)

    @property
    def watch_failures(self) -> int:
        """How many watches ended in another way than by the server's timeout."""
        return self._past_failures + sum(each.watch_failures for each in self._watches)

    @property
    def _watches(self) -> Iterator[Contact]:
        for scope in self._scopes.values():
            yield scope.list.contact
        for name in self._watched:
            yield self._singles[name].contact

    def renew_watches(self, since: float) -> None:
        """Begin all watches anew on which nothing has come since a time."""
        for scope in self._scopes.values():
            scope.list.renew_watch(since)
        for single in self._singles.values():
            if isinstance(single, WatchedObject):
                single.renew_watch(since)

    def is_known(self, name: ObjectName) -> bool:
        """Whether the object was read, or is known not to exist."""
        return name in self._known

    def has_read(self, name: ObjectName) -> bool:
        """The same, but not for an object that counts as known because it may not be read."""
        return name in self._read

    def want(self, name: ObjectName) -> None:
        """The object is referenced from now on; `read` reads it."""
        self._wanted.add(name)
        self._unread[name] = None

    def read(self) -> None:
        """Read everything that became wanted since the last call."""
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
        """The object is not referenced any more."""
        self._wanted.discard(name)
        self._known.discard(name)
        self._read.discard(name)
        self._unwatchable.discard(name)
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
        """The namespace whose list has the object; empty for the list of all, None for no list."""
        if not self.is_listed:
            return None
        if not self._namespaces:
            return ""
        return name[0] if name[0] in self._namespaces else None

    def make_list(self, namespace: str, owner: _Scope) -> ScopeList:
        """Make the list of all objects in a namespace."""
        mirror = Mirror(self._resource, self._sink, self._problems, self._wanted.__contains__)
        target = Target(self._resource, namespace)
        return ScopeList(self._access, target, mirror, owner, self._list_changed)

    def _list_changed(self) -> None:
        self.changed()

    def names_in(self, namespace: str) -> list[ObjectName]:
        """The wanted objects of the list of a namespace."""
        return [name for name in self._wanted if self._scope_of(name) == namespace]

    def know(self, name: ObjectName, mirror: Mirror) -> None:
        """
        The object was read, or is known not to exist.

        :param mirror: has the object, if it exists.
        """
        if name not in mirror.objects:
            # Another Mirror, which read it in another way, may have put it into the store.
            self._sink.delete((self._resource.kind, *name))
            self._problems.put((self._resource.kind, *name), ())
        if name in self._wanted:
            self._read.add(name)
        self._mark_known(name)

    def _mark_known(self, name: ObjectName) -> None:
        if name in self._wanted and name not in self._known:
            self._known.add(name)
            self.became_known((self._resource.kind, *name))

    # Objects by their names.

    def read_singles(self, namespace: str) -> None:
        """Read by name the objects that the list of a namespace would have given."""
        for name in self.names_in(namespace):
            if name not in self._singles:
                self._read_single(name)

    def drop_singles(self, namespace: str, scope_list: ScopeList) -> None:
        """Stop reading by name what the list has; the list looks the others up once more."""
        unlisted: list[ObjectName] = []
        for name in self.names_in(namespace):
            is_single = self._stop_single(name) is not None
            if is_single and name not in scope_list.mirror.objects:
                unlisted.append(name)
        scope_list.read(unlisted)

    def _read_single(self, name: ObjectName) -> None:
        if len(self._watched) < MAX_WATCHED:
            self._start(name, WatchedObject(*self._single_arguments(name)))
            self._watched.add(name)
        else:
            self._poll(name)

    def _poll(self, name: ObjectName) -> None:
        self._start(name, PolledObject(*self._single_arguments(name), self._slots))

    def _single_arguments(
        self, name: ObjectName
    ) -> tuple[Access, Target, Mirror, Callable[[], None]]:
        mirror = Mirror(self._resource, self._sink, self._problems)
        changed = partial(self._single_changed, name)
        return self._access, Target(self._resource, *name), mirror, changed

    def _start(self, name: ObjectName, single: SingleObject) -> None:
        self._singles[name] = single
        single.start()

    def _stop_single(self, name: ObjectName) -> SingleObject | None:
        single = self._singles.pop(name, None)
        if single is not None:
            single.stop()
            if name in self._watched:
                self._past_relists += single.contact.relists
                self._past_failures += single.contact.watch_failures
        self._watched.discard(name)
        return single

    def _single_changed(self, name: ObjectName) -> None:
        # The caller is the object's own coroutine, which the review may have to stop.
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
        if isinstance(single, WatchedObject) and _is_given_up(contact):
            # The right to read it may be there without the right to watch it.
            if contact.refused_verb == "watch":
                self._unwatchable.add(name)
            self._stop_single(name)
            self._poll(name)
        elif contact.has_synced:
            self.know(name, single.mirror)
            if isinstance(single, PolledObject) and self._may_watch(name, single):
                self._stop_single(name)
                self._read_single(name)
        elif contact.lacks_right:
            self._mark_known(name)

    def _may_watch(self, name: ObjectName, single: PolledObject) -> bool:
        has_room = len(self._watched) < MAX_WATCHED
        return single.may_list and has_room and name not in self._unwatchable


def _is_given_up(contact: Contact) -> bool:
    """Whether to stop watching an object: at once, unless it has been read before."""
    return contact.lacks_right or (contact.is_forbidden and not contact.has_synced)


class _Scope:
    """The `Owner` of one list: of a namespace, or of the cluster."""

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
