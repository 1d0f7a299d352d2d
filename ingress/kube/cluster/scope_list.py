"""
Lists all objects of a kind, and keeps the wanted ones.

One list and one watch, for the cluster or for a namespace. An object that becomes wanted after
the list was dropped on arrival, and is read by its name: by a list, so that the rights to list
and to watch are enough.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, Protocol

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.kube.cluster.backoff import Backoff
from ingress.kube.cluster.contact import Contact
from ingress.kube.cluster.mirror import Mirror
from ingress.kube.cluster.reflector import Access, Reflector
from ingress.kube.cluster.resource import Target
from ingress.kube.cluster.wire import decode_page
from ingress.kube.objects import ObjectName

FIRST_RETRY: Final = 1.0
MAX_RETRY: Final = 600.0
"""
Seconds after which a refused list is tried again, the first time and at most. The first refusals
may come from a server that starts. Later ones show that the right is missing on purpose, and each
of them is a line of the cluster's audit log.
"""

LOOKUPS_AT_ONCE: Final = 10
"""Concurrent requests for objects by name."""

RELIST_FROM: Final = 100
"""From this many objects that become wanted together, another list is cheaper."""


class Owner(Protocol):
    """Wants some of the objects."""

    def known(self, name: ObjectName) -> None:
        """The object was read, or does not exist; the Mirror's Sink knows which."""

    def refused(self) -> None:
        """The objects may not be listed."""

    def granted(self) -> None:
        """
        The objects may be listed after all, and were. Objects that became wanted meanwhile need
        not be in the Mirror.
        """


class ScopeList:
    """
    :param mirror: keeps the wanted objects.
    :param changed: called when the state of `contact` has changed.
    """

    log = Logger()

    def __init__(
        self,
        access: Access,
        target: Target,
        mirror: Mirror,
        owner: Owner,
        changed: Callable[[], None],
    ) -> None:
        self.mirror = mirror
        self.contact = Contact(target, access.clock, self._contact_changed, access.liveness)
        self.is_refused = False
        """Whether the last attempt to list was refused."""

        self._access = access
        self._target = target
        self._owner = owner
        self._changed = changed
        self._reflector = Reflector(access, mirror, self.contact)
        self._is_started = False
        self._retries = Backoff(access.random, FIRST_RETRY, MAX_RETRY)
        self._is_refusal_logged = False
        self._lists = 0
        self._awaited: set[ObjectName] = set()
        self._lookups: dict[ObjectName, Deferred[None]] = {}
        self._slots = DeferredSemaphore(LOOKUPS_AT_ONCE)
        self._review_call: IDelayedCall | None = None
        self._retry_call: IDelayedCall | None = None

    def __repr__(self) -> str:
        state = "refused" if self.is_refused else "listed" if self._lists else "not listed"
        return f"<ScopeList of {self._target}, {state}, {len(self._lookups)} lookups>"

    def read(self, names: Collection[ObjectName]) -> None:
        """
        Read objects that became wanted; not to be called while listing is refused.

        The first call starts the list.
        """
        if not self._is_started:
            self._is_started = True
            self._awaited.update(names)
            self._reflector.start()
        elif self._lists and len(names) >= RELIST_FROM:
            self._awaited.update(names)
            self._reflector.relist()
        else:
            for name in names:
                self._look_up(name)

    def forget(self, name: ObjectName) -> None:
        """An object is no longer wanted."""
        self._awaited.discard(name)
        lookup = self._lookups.pop(name, None)
        if lookup is not None:
            lookup.cancel()
        self.mirror.forget(name)

    def renew_watch(self, since: float) -> None:
        """Begin a watch anew on which nothing has come since a time."""
        self._reflector.renew_watch(since)

    def stop(self) -> None:
        """Stop following."""
        self._reflector.stop()
        self._stop_lookups()
        for call in (self._review_call, self._retry_call):
            if call is not None and call.active():
                call.cancel()

    def _stop_lookups(self) -> None:
        lookups = list(self._lookups.values())
        self._lookups.clear()
        for lookup in lookups:
            lookup.cancel()

    # The list.

    def _contact_changed(self) -> None:
        # The caller is the Reflector itself, which the review may have to stop.
        if self._review_call is None:
            self._review_call = self._access.clock.callLater(0, self._review)
        self._changed()

    def _review(self) -> None:
        self._review_call = None
        if self._is_given_up():
            self._refuse()
        elif self.contact.lists != self._lists:
            self._lists = self.contact.lists
            awaited, self._awaited = self._awaited, set()
            self._retries.reset()
            self._is_refusal_logged = False
            if self.is_refused:
                self.is_refused = False
                self._owner.granted()
            for name in awaited:
                self._owner.known(name)

    def _is_given_up(self) -> bool:
        """Whether to read the objects by name: at once, unless there was the right before."""
        return self.contact.lacks_right or (self.contact.is_forbidden and not self.contact.lists)

    def _refuse(self) -> None:
        self._reflector.stop()
        self._stop_lookups()
        self._awaited.clear()
        delay = self._retries.next_delay()
        self._retry_call = self._access.clock.callLater(delay, self._reflector.start)
        if self.contact.lacks_right and not self._is_refusal_logged:
            self._is_refusal_logged = True
            self.log.info(
                "{target} cannot be listed without the right to: each one is read by its name",
                target=self._target,
            )
        if not self.is_refused:
            self.is_refused = True
            self._owner.refused()

    # Objects by their names.

    def _look_up(self, name: ObjectName) -> None:
        self.mirror.expect(name)
        looking = self._slots.run(self._run_lookup, name)
        self._lookups[name] = looking
        looking.addErrback(self._lookup_failed, name)
        looking.addCallback(lambda _: self._lookups.pop(name, None))

    def _run_lookup(self, name: ObjectName) -> Deferred[None]:
        return Deferred.fromCoroutine(self._read_until_known(name))

    def _lookup_failed(self, failure: Failure, name: ObjectName) -> None:
        if not failure.check(CancelledError):
            self.log.failure("{name} cannot be read", failure, name="/".join(name))

    async def _read_until_known(self, name: ObjectName) -> None:
        target = Target(self._target.resource, *name)
        backoff = Backoff(self._access.random)
        while True:
            try:
                page = decode_page(await self._access.client.get(target.path, target.query))
                break
            except (APIError, APIUnreachable) as error:
                retry_after = error.retry_after if isinstance(error, APIError) else None
                await deferLater(self._access.clock, backoff.next_delay(retry_after))
        items = page.items or ()
        self.mirror.admit(name, bytes(items[0]) if items else None)
        self._owner.known(name)
