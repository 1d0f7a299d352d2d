"""
Combines changes of the ObjectStore that arrive together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.kube.objects import KubeObject, ObjectKey
from ingress.kube.slices import Slices, Stopped
from ingress.kube.store import ObjectStore, key_of


class Sink(Protocol):
    """Receives objects that are added, changed or deleted."""

    def put(self, item: KubeObject) -> None:
        """The object was added or changed."""

    def delete(self, key: ObjectKey) -> None:
        """The object was deleted; it need not have existed."""


class StoreBatch:
    """
    A `Sink` that changes a store, in slices and at the end of a turn of the reactor.

    Each change copies the mapping of its kind. So a hundred events of one read are one change,
    and so are all that come while a change is under way.

    :param clock: for the turns.
    :param slices: not shared with others: whether a change is large is measured for each.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, store: ObjectStore, slices: Slices) -> None:
        self._clock = clock
        self._store = store
        self._slices = slices
        self._pending: dict[ObjectKey, KubeObject | None] = {}
        self._call: IDelayedCall | None = None
        self._is_applying = False
        self._waiting: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<StoreBatch: {len(self._pending)} pending>"

    def put(self, item: KubeObject) -> None:
        """Add the object, in place of one with the same key (`Sink`)."""
        self._pending[key_of(item)] = item
        self._schedule()

    def delete(self, key: ObjectKey) -> None:
        """Delete the object (`Sink`)."""
        self._pending[key] = None
        self._schedule()

    def when_applied(self, call: Callable[[], None]) -> None:
        """Call when the store has everything that was put so far; at once if it has."""
        if self._pending or self._is_applying:
            self._waiting.append(call)
        else:
            call()

    def stop(self) -> None:
        """Stop changing the store."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._pending.clear()

    def _schedule(self) -> None:
        if self._call is None and not self._is_applying:
            self._call = self._clock.callLater(0, self._begin)

    def _begin(self) -> None:
        self._call = None
        self._is_applying = True
        pending, self._pending = self._pending, {}
        upserts = [item for item in pending.values() if item is not None]
        deletes = [key for key, item in pending.items() if item is None]
        steps = self._store.apply_in_steps(upserts, deletes)
        self._slices.begin_cycle()
        applying = Deferred.fromCoroutine(self._slices.run(steps))
        applying.addErrback(self._failed)
        applying.addCallback(self._ended)

    def _failed(self, failure: Failure) -> None:
        if not failure.check(Stopped):
            self.log.failure("A change of the objects is lost", failure)

    def _ended(self, result: object) -> None:
        self._is_applying = False
        self._slices.end_cycle()
        if self._pending and self._slices.is_running:
            self._schedule()
            return
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()
