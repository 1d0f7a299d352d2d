"""
Reads one object by its name, if all objects of its kind may not be listed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.kube.cluster.backoff import Backoff
from ingress.kube.cluster.contact import Contact
from ingress.kube.cluster.mirror import Mirror
from ingress.kube.cluster.reflector import Access, Reflector
from ingress.kube.cluster.resource import Target

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
        self.contact = Contact(target, access.clock, changed)
        self._reflector = Reflector(access, mirror, self.contact)

    def __repr__(self) -> str:
        return f"<WatchedObject {self.contact.target}>"

    def start(self) -> None:
        """As `SingleObject`."""
        self._reflector.start()

    def stop(self) -> None:
        """As `SingleObject`."""
        self._reflector.stop()


class PolledObject:
    """
    A `SingleObject` that is read every minute.

    :param slots: bounds the concurrent reads.
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
        self.contact = Contact(target, access.clock, changed)
        self._access = access
        self._target = target
        self._backoff = Backoff(access.random)
        self._running: Deferred[None] | None = None

    def __repr__(self) -> str:
        return f"<PolledObject {self.contact.target}>"

    def start(self) -> None:
        """As `SingleObject`."""
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._ended)

    def stop(self) -> None:
        """As `SingleObject`."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()

    def _ended(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.failure("{target} cannot be followed any longer", failure, target=self._target)

    async def _run(self) -> None:
        while True:
            delay = await self._slots.run(self._begin_reading)
            await deferLater(self._access.clock, delay)

    def _begin_reading(self) -> Deferred[float]:
        return Deferred.fromCoroutine(self._read())

    async def _read(self) -> float:
        """:return: after how many seconds to read it again."""
        target = self._target
        path = target.resource.path(target.namespace, target.name)
        name = (target.namespace, target.name)
        text: bytes | None = None
        try:
            text = await self._access.client.get(path, {})
        except (APIError, APIUnreachable) as error:
            code = error.code if isinstance(error, APIError) else 0
            if code != 404:
                self.contact.failed(error)
                if code == 403:
                    # A right that is missing seldom appears within seconds.
                    return self._interval()
                retry_after = error.retry_after if isinstance(error, APIError) else None
                return self._backoff.next_delay(retry_after)
        self._backoff.reset()
        self.contact.heard()
        self.mirror.expect(name)
        self.mirror.admit(name, text)
        self.contact.listed()
        return self._interval()

    def _interval(self) -> float:
        return POLL_INTERVAL * (1.0 + POLL_JITTER * self._access.random.uniform(-1.0, 1.0))
