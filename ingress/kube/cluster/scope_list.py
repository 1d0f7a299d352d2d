"""
All objects of a kind, of which those are kept that somebody wants.

One list and one watch, for the cluster or for a namespace. What comes to be wanted once
the list is there was dropped when it arrived, and is read by its name: with a list, so
that the rights to list and to watch are enough.
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

LIST_RETRY: Final = 600.0
"""
Seconds, more or less, after which it is tried once more to list what we may not list. Not
to have the right is how some clusters are meant to be, and each refusal is a line of their
audit logs.
"""

LOOKUPS_AT_ONCE: Final = 10
"""Requests for objects by their names."""

RELIST_FROM: Final = 100
"""Objects that come to be wanted together from which on another list costs less."""


class Owner(Protocol):
    """Whoever wants some of the objects."""

    def known(self, name: ObjectName) -> None:
        """It has been read, or does not exist; the Mirror's Sink knows which."""

    def refused(self) -> None:
        """The objects may not be listed."""

    def granted(self) -> None:
        """
        They may be, after all, and have been. What came to be wanted meanwhile need not be
        in the Mirror.
        """


class ScopeList:
    """
    :param mirror: keeps what is wanted.
    :param changed: called when its `contact` has news.
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
        self.contact = Contact(target, access.clock, self._contact_changed)
        self.is_refused = False
        """Whether the objects may not be listed, as far as we know."""

        self._access = access
        self._target = target
        self._owner = owner
        self._changed = changed
        self._reflector = Reflector(access, mirror, self.contact)
        self._is_started = False
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
        Objects have come to be wanted; not to be called where they may not be listed.

        The first ones are what the first list brings.
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
        """An object is wanted no more."""
        self._awaited.discard(name)
        lookup = self._lookups.pop(name, None)
        if lookup is not None:
            lookup.cancel()
        self.mirror.forget(name)

    def stop(self) -> None:
        """Follow nothing any longer."""
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
        # It is the Reflector itself that calls, and may be what has to be stopped.
        if self._review_call is None:
            self._review_call = self._access.clock.callLater(0, self._review)
        self._changed()

    def _review(self) -> None:
        self._review_call = None
        if self.contact.is_forbidden:
            self._refuse()
        elif self.contact.lists != self._lists:
            self._lists = self.contact.lists
            awaited, self._awaited = self._awaited, set()
            if self.is_refused:
                self.is_refused = False
                self._owner.granted()
            for name in awaited:
                self._owner.known(name)

    def _refuse(self) -> None:
        self._reflector.stop()
        self._stop_lookups()
        self._awaited.clear()
        delay = LIST_RETRY * self._access.random.uniform(0.9, 1.1)
        self._retry_call = self._access.clock.callLater(delay, self._reflector.start)
        if not self.is_refused:
            self.is_refused = True
            self.log.info(
                "{target} may not be listed: those that are named are read one by one",
                target=self._target,
            )
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
