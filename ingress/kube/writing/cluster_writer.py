"""
Everything that this process writes to its cluster.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final, Protocol
from uuid import UUID

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ingress.config import Cluster
from ingress.errors import IngressError
from ingress.kube.api.client import APIClient
from ingress.kube.api.time_limit import within
from ingress.kube.ingress_status import IngressStatuses
from ingress.kube.objects import Ingress, ObjectName
from ingress.kube.store import ObjectStore
from ingress.kube.writing.address_reader import AddressReader
from ingress.kube.writing.election import Elector
from ingress.kube.writing.event import Notice
from ingress.kube.writing.event_writer import EventWriter
from ingress.kube.writing.status import StatusWriter
from ingress.problem_log import ProblemLog

CLEAR_TIMEOUT: Final = 15.0
"""Seconds that a stopping process waits until its addresses are removed."""

OTHERS_DELAY: Final = 2.0
"""
Seconds until other replicas are looked for a second time: replicas that stop together with
this one look ready for a moment longer.
"""

MAX_MANAGER: Final = 128
"""Characters that the API server accepts for a name in ``metadata.managedFields``."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """
    What a ClusterWriter needs of its process.

    :ivar now: the time of day.
    :ivar monotonic: seconds by a clock that nobody sets.
    """

    clock: IReactorTime
    random: Random
    environment: Mapping[str, str]
    now: Callable[[], datetime]
    monotonic: Callable[[], float] = time.monotonic
    host_name: Callable[[], str] = socket.gethostname


class LeaderWork(Protocol):
    """More that only the leader does."""

    def serve(self, served: Mapping[ObjectName, Ingress]) -> None:
        """Take over which Ingresses are served from now on."""

    def start(self) -> None:
        """Begin: this process leads."""

    def stop(self) -> None:
        """End: it leads no longer. It may begin again later."""


class ClusterWriter:
    """
    Takes part in the election of a leader, and writes while it leads.

    :param statuses: the current statuses of Ingresses, kept by the code that reads the API.
    :param store: for the Ingresses that Events are about.
    """

    log = Logger()

    def __init__(
        self,
        client: APIClient,
        config: Cluster,
        store: ObjectStore,
        statuses: IngressStatuses,
        problems: ProblemLog,
        runtime: Runtime,
    ) -> None:
        self._runtime = runtime
        clock, random = runtime.clock, runtime.random
        instance = runtime.environment.get("POD_NAME") or runtime.host_name()
        # The namespace of a kubeconfig is that of a user, not necessarily ours.
        own = runtime.environment.get("POD_NAMESPACE") or client.namespace
        lease = (config.lease[0] or own, config.lease[1])
        self._elector = Elector(
            client,
            lease,
            f"{instance}_{UUID(int=random.getrandbits(128), version=4)}",
            clock=clock,
            random=random,
            now=runtime.now,
            monotonic=runtime.monotonic,
        )
        self._elector.started = self._start_writing
        self._elector.stopped = self._stop_writing
        self._reader = AddressReader(
            client, config.status, runtime.environment, clock=clock, random=random
        )
        self._statuses: StatusWriter | None = None
        wanted = config.status
        if wanted.service is not None or wanted.addresses or wanted.nodes is not None:
            self._statuses = StatusWriter(
                client,
                statuses,
                lambda: self._reader.addresses,
                f"txingress {'/'.join(lease)}"[:MAX_MANAGER],
                lambda: self.is_leader,
                clock=clock,
                random=random,
            )
            self._reader.changed = self._statuses.look_at_all
        self._events: EventWriter | None = None
        if config.events:
            self._events = EventWriter(
                client,
                problems,
                lambda name: store.view().ingresses.get(name),
                instance,
                lambda: self.is_leader,
                clock=clock,
                random=random,
                now=runtime.now,
            )
        self._works: list[LeaderWork] = []
        self._clears = config.status.clear_on_shutdown

    def __repr__(self) -> str:
        return f"<ClusterWriter: {self._elector!r}>"

    @property
    def is_leader(self) -> bool:
        """Whether this process may write, at this moment."""
        return self._elector.is_leader

    @property
    def holder(self) -> str:
        """The identity of the leader, as far as it is known; empty if there is none."""
        return self._elector.holder

    def leases(self) -> Mapping[str, float]:
        """By name of the Lease: 1 if this process holds it, 0 if not."""
        return {self._elector.name[1]: float(self.is_leader)}

    def add(self, work: LeaderWork) -> None:
        """Have the leader do more; before `start`."""
        self._works.append(work)

    def tell(self, notice: Notice) -> None:
        """Write an Event of something that has happened, if Events are written."""
        if self._events is not None:
            self._events.tell(notice)

    def serve(self, served: Mapping[ObjectName, Ingress]) -> None:
        """
        Take over which Ingresses are served from now on.

        :param served: by name; never changed.
        """
        for work in self._works:
            work.serve(served)
        if self._statuses is not None:
            self._statuses.serve(served)
        if self._events is not None:
            self._events.serve(served)

    def start(self) -> None:
        """Take part in the election from now on."""
        self._elector.start()

    def stop(self) -> Deferred[None]:
        """
        Stop writing, and let another replica lead.

        :return: fires when the Lease is released and, if so configured, the addresses are
            removed, or when that turned out to be impossible. It never fails, and takes half
            a minute at most.
        """
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._events is not None:
            self._events.stop()
        if self._clears and self._statuses is not None and self.is_leader:
            try:
                await within(CLEAR_TIMEOUT, self._runtime.clock, self._clear(self._statuses))
            except IngressError as error:
                self.log.warn("The addresses of Ingresses are not removed: {error}", error=error)
        await self._elector.stop()

    async def _clear(self, statuses: StatusWriter) -> None:
        if await self._reader.has_other_replica():
            await deferLater(self._runtime.clock, OTHERS_DELAY)
            if await self._reader.has_other_replica():
                return
        await statuses.clear()

    def _start_writing(self) -> None:
        if self._statuses is not None:
            self._reader.start()
            self._statuses.start()
        if self._events is not None:
            self._events.start(self._elector.led_before)
        for work in self._works:
            work.start()

    def _stop_writing(self) -> None:
        for work in self._works:
            work.stop()
        self._reader.stop()
        if self._statuses is not None:
            self._statuses.stop()
        if self._events is not None:
            self._events.stop()
