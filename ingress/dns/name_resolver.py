"""
Resolves the names that are in use, each again when its TTL has passed.

An answer of a name server applies at once, also a negative one. Without an answer the last
addresses stay, with a fault that says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Final, Protocol

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.dns.errors import LookupFailed, NoAddress
from ingress.dns.lookup import Answer
from ingress.growing_delay import growing_delay

LOOKUPS_AT_ONCE: Final = 10

FIRST_RETRY: Final = 1.0
MAX_RETRY: Final = 30.0
"""Seconds until the next attempt if no server has answered; doubled in between."""

MAX_NEGATIVE_TTL: Final = 30.0
"""Seconds until the next attempt after a negative answer, at most."""

MAX_WAIT: Final = 5.0
"""Seconds that `want` waits for answers."""

UNUSED_TIME: Final = 30.0
"""Seconds for which a name that was resolved in advance is kept without being wanted."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The result for a name."""

    addresses: tuple[str, ...] = ()

    fault: str = ""
    """Why there are no addresses, or why they are out of date."""


class Sink(Protocol):
    """Stores the results for names."""

    def put(self, name: str, resolution: Resolution) -> None:
        """The result for a name has changed."""

    def forget(self, name: str) -> None:
        """A name is not resolved any more."""


class NameResolver:
    """
    Keeps the results for all wanted names up to date.

    :param resolve: resolves a name once; raises NoAddress or LookupFailed.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        random: Random,
        resolve: Callable[[str], Awaitable[Answer]],
        sink: Sink,
    ) -> None:
        self._clock = clock
        self._random = random
        self._resolve = resolve
        self._sink = sink
        self._slots = DeferredSemaphore(LOOKUPS_AT_ONCE)
        self._names: dict[str, _Name] = {}

    def __repr__(self) -> str:
        return f"<NameResolver of {len(self._names)} names>"

    def want(self, names: Iterable[str]) -> Deferred[None]:
        """
        Resolve exactly these names from now on.

        :return: fires when there is a result for each, or after `MAX_WAIT`.
        """
        wanted = set(names)
        for name in self._names.keys() - wanted:
            if self._names[name].is_wanted:
                self._drop(name)
        for name in wanted:
            self._name(name).keep()
        return Deferred.fromCoroutine(self._wait_for(wanted))

    def resolve_ahead(self, name: str) -> Deferred[None]:
        """
        Resolve a name that is about to be wanted.

        :return: fires when there is a result, or after `MAX_WAIT`.
        """
        known = self._name(name)
        if not known.is_wanted and known.expiry is None:
            known.expiry = self._clock.callLater(UNUSED_TIME, self._drop, name)
        return Deferred.fromCoroutine(self._wait_for({name}))

    def is_known(self, name: str) -> bool:
        """Whether there is a result for the name."""
        return name in self._names and self._names[name].resolution is not None

    def stop(self) -> None:
        """Stop resolving; the results stay."""
        names, self._names = self._names, {}
        for name in names.values():
            name.stop()

    async def _wait_for(self, names: Iterable[str]) -> None:
        waiting = [self._names[name].when_known() for name in names if name in self._names]
        for each in waiting:
            each.addTimeout(MAX_WAIT, self._clock, lambda *_: None)
        for each in waiting:
            await each

    def _name(self, name: str) -> _Name:
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = _Name(name)
            running = known.running = Deferred.fromCoroutine(self._follow(known))
            running.addErrback(self._ended, name)
        return known

    def _drop(self, name: str) -> None:
        dropped = self._names.pop(name)
        dropped.stop()
        if dropped.resolution is not None:
            self._sink.forget(name)

    def _ended(self, failure: Failure, name: str) -> None:
        if not failure.check(CancelledError):
            self.log.failure("{name} cannot be resolved any longer", failure, name=name)

    async def _follow(self, name: _Name) -> None:
        while not name.is_stopped:
            delay = await self._slots.run(self._look_up, name)
            # The sink may have stopped us meanwhile.
            if not name.is_stopped:
                await deferLater(self._clock, delay)

    def _look_up(self, name: _Name) -> Deferred[float]:
        return Deferred.fromCoroutine(self._resolve_once(name))

    async def _resolve_once(self, name: _Name) -> float:
        """:return: seconds until the next attempt."""
        try:
            answer = await self._resolve(name.name)
        except NoAddress as error:
            name.failures = 0
            self._know(name, Resolution(fault=f"{name.name} has no address: {error}"))
            return min(error.ttl, MAX_NEGATIVE_TTL)
        except LookupFailed as error:
            return self._fail(name, error)
        name.failures = 0
        self._know(name, Resolution(answer.addresses))
        return answer.ttl

    def _fail(self, name: _Name, error: LookupFailed) -> float:
        if not name.failures:
            # The first message stays, although the next failure may have another one.
            known = name.resolution.addresses if name.resolution is not None else ()
            kept = "; its last addresses stay in use" if known else ""
            self._know(name, Resolution(known, f"{name.name} cannot be resolved: {error}{kept}"))
        name.failures += 1
        delay = growing_delay(FIRST_RETRY, MAX_RETRY, name.failures)
        return delay * self._random.uniform(0.5, 1.0)

    def _know(self, name: _Name, resolution: Resolution) -> None:
        if resolution != name.resolution:
            name.resolution = resolution
            self._sink.put(name.name, resolution)
        name.notify_waiting()


class _Name:
    """One name, its result, and those who wait for it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_wanted = False
        self.is_stopped = False
        self.expiry: IDelayedCall | None = None
        """The call that drops it; None while it is wanted."""

        self.failures = 0
        self.resolution: Resolution | None = None
        self.running: Deferred[None] | None = None
        self._waiting: list[Deferred[None]] = []

    def __repr__(self) -> str:
        return f"<_Name {self.name}: {self.resolution}>"

    def when_known(self) -> Deferred[None]:
        """:return: fires when there is a result; a new Deferred for each caller."""
        waiting: Deferred[None] = Deferred()
        if self.resolution is not None:
            waiting.callback(None)
        else:
            self._waiting.append(waiting)
        return waiting

    def notify_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.called:
                each.callback(None)

    def keep(self) -> None:
        """The name is wanted."""
        self.is_wanted = True
        self._cancel_expiry()

    def stop(self) -> None:
        """Stop resolving it."""
        self.is_stopped = True
        self._cancel_expiry()
        if self.running is not None:
            self.running.cancel()
        self.notify_waiting()

    def _cancel_expiry(self) -> None:
        if self.expiry is not None and self.expiry.active():
            self.expiry.cancel()
        self.expiry = None
