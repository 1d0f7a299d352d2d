"""
The running proxy: what starts and stops, in which order.

Starting: objects are read, a first Snapshot is built and published, and only
then do the listeners accept. Stopping: the listeners close, idle connections
close, exchanges under way have their grace, and what is left is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.admin.readiness import Readiness
from ingress.control_plane import ControlPlane
from ingress.downstream.accepting_port import YieldingLimit
from ingress.downstream.bound_socket import ListenError
from ingress.downstream.listeners import ADMIN_CONNECTIONS, Listener
from ingress.part import Part
from ingress.serving import Serving
from ingress.termination import Termination


@dataclass(frozen=True, slots=True)
class Admin:
    """The admin listener, and who answers there."""

    listener: Listener
    site: IProtocolFactory
    readiness: Readiness
    """What `site` tells of; it begins with the reason ``start``."""


class IngressService(Service):
    """
    One process: the control plane, and the data plane or what leads to it.

    :param reactor: the process's.
    :param serving: what `control_plane` publishes to.
    :param termination: takes the signals, and is told where there is no way to start.
    :param parts: what tells others of what is served: started once that is so,
        stopped as soon as it ends.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        admin: Admin,
        control_plane: ControlPlane,
        serving: Serving,
        termination: Termination,
        parts: Sequence[Part] = (),
    ) -> None:
        self.readiness = admin.readiness
        self._reactor = reactor
        self._admin = admin
        self._control_plane = control_plane
        self._serving = serving
        self._termination = termination
        self._parts = tuple(parts)
        self._started_parts: list[Part] = []

    # Starting.

    def startService(self) -> None:
        """
        IService. But for what must be forked before, it begins when the reactor runs:
        nobody can stop one that does not.
        """
        super().startService()  # type: ignore[no-untyped-call]
        self._serving.launch()
        self._termination.install(self._serving.cut)
        self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        starting = Deferred.fromCoroutine(self._start())
        starting.addErrback(self._cannot_start)

    async def _start(self) -> None:
        self._serving.prepare()
        admin = self._admin
        admin.listener.start(self._reactor, admin.site, YieldingLimit(ADMIN_CONNECTIONS))
        await self._control_plane.start()
        if not self.running:
            return
        await self._serving.accept()
        if not self.running:
            return
        self.readiness.clear("start")
        for part in self._parts:
            part.start()
            self._started_parts.append(part)

    def _cannot_start(self, failure: Failure) -> None:
        if isinstance(failure.value, ListenError):
            self.log.critical("{error}", error=failure.value)
        else:
            self.log.failure("The proxy cannot start", failure)
        self._termination.fail()

    # Stopping.

    def stopService(self) -> Deferred[None]:
        """IService: fires when the last exchange is over, or the grace."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self.readiness.is_ending = True
        self.readiness.add("drain", "the process is draining")
        ending = [part.stop() for part in self._started_parts]
        ending.append(self._control_plane.stop())
        await self._serving.drain(self._control_plane.live_config.current.shutdown_grace)
        for ended in ending:
            await ended
        await self._admin.listener.stop()
