"""
Reads one object by its name, if all objects of its kind may not be listed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.kube.api.refusals import is_refusal
from ingress.kube.cluster.backoff import Backoff
from ingress.kube.cluster.contact import Contact
from ingress.kube.cluster.follower import Follower
from ingress.kube.cluster.mirror import Mirror
from ingress.kube.cluster.reflector import Access, Reflector
from ingress.kube.cluster.resource import Target
from ingress.kube.cluster.wire import decode_page

POLL_INTERVAL: Final = 60.0
"""Seconds between two reads of a polled object, plus or minus `POLL_JITTER`."""

POLL_JITTER: Final = 0.1


class SingleObject(Protocol):
    """Keeps one object in its Mirror up to date."""

    contact: Contact
    mirror: Mirror

    def start(self) -> None:
        """Read it, then follow it until `stop`."""

    def stop(self) -> None:
        """Stop following it."""


class WatchedObject:
    """A `SingleObject` that is listed and watched by name, on a connection of its own."""

    def __init__(
        self, access: Access, target: Target, mirror: Mirror, changed: Callable[[], None]
    ) -> None:
        self.mirror = mirror
        self.contact = Contact(target, access.clock, changed, access.liveness)
        self._reflector = Reflector(access, mirror, self.contact)

    def __repr__(self) -> str:
        return f"<WatchedObject {self.contact.target}>"

    def start(self) -> None:
        """As `SingleObject`."""
        self._reflector.start()

    def stop(self) -> None:
        """As `SingleObject`."""
        self._reflector.stop()

    def renew_watch(self, since: float) -> None:
        """Begin a watch anew on which nothing has come since a time."""
        self._reflector.renew_watch(since)


class PolledObject(Follower):
    """
    A `SingleObject` that is read every minute, by whichever right there is: to get it, or to
    list it by its name.

    :param slots: bounds the concurrent reads.
    :ivar may_list: whether it was listed by its name, and so may be watched as well.
    """

    log = Logger()

    def __init__(
        self,
        access: Access,
        target: Target,
        mirror: Mirror,
        changed: Callable[[], None],
        slots: DeferredSemaphore,
    ) -> None:
        self._slots = slots
        self.mirror = mirror
        self.contact = Contact(
            target, access.clock, changed, access.liveness, POLL_INTERVAL * (1.0 + POLL_JITTER)
        )
        self._access = access
        self._target = target
        self._backoff = Backoff(access.random)
        self._refusals = Backoff(access.random, longest=POLL_INTERVAL)
        self.may_list = False

    def __repr__(self) -> str:
        return f"<PolledObject {self.contact.target}>"

    @property
    def followed(self) -> str:
        """Follower."""
        return str(self._target)

    async def _run(self) -> None:
        """Follower."""
        while True:
            delay = await self._slots.run(self._begin_reading)
            await deferLater(self._access.clock, delay)

    def _begin_reading(self) -> Deferred[float]:
        return Deferred.fromCoroutine(self._read())

    async def _read(self) -> float:
        """:return: after how many seconds to read it again."""
        name = (self._target.namespace, self._target.name)
        try:
            text = await self._ask()
        except (APIError, APIUnreachable) as error:
            self.contact.failed(error, "get")
            retry_after = error.retry_after if isinstance(error, APIError) else None
            backoff = self._refusals if is_refusal(error) else self._backoff
            return backoff.next_delay(retry_after)
        self._backoff.reset()
        self._refusals.reset()
        self.contact.heard()
        self.mirror.expect(name)
        self.mirror.admit(name, text)
        self.contact.listed()
        return self._interval()

    async def _ask(self) -> bytes | None:
        """
        Ask in the way that worked last, and in the other way if that is refused.

        :return: the object; None if it does not exist.
        """
        ways = (self._list, self._get) if self.may_list else (self._get, self._list)
        try:
            return await ways[0]()
        except APIError as error:
            if not is_refusal(error):
                raise
        return await ways[1]()

    async def _get(self) -> bytes | None:
        path = self._target.resource.path(self._target.namespace, self._target.name)
        try:
            text = await self._access.client.get(path, {})
        except APIError as error:
            if error.code != 404:
                raise
            text = None
        self.may_list = False
        return text

    async def _list(self) -> bytes | None:
        answer = await self._access.client.get(self._target.path, self._target.query)
        items = decode_page(answer).items or ()
        self.may_list = True
        return bytes(items[0]) if items else None

    def _interval(self) -> float:
        return POLL_INTERVAL * (1.0 + POLL_JITTER * self._access.random.uniform(-1.0, 1.0))
