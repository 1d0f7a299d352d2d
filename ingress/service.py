"""
The running proxy, and the order in which its components start and stop.

Starting: objects are read, a first Snapshot is built and published, and only
then do the listeners accept. Stopping: the listeners close, idle connections
close, exchanges in flight have a grace period, and the remaining ones are cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.admin.readiness import Readiness
from ingress.control_plane import ControlPlane
from ingress.downstream.bound_socket import ListenError
from ingress.downstream.connection_limit import YieldingLimit
from ingress.downstream.listeners import ADMIN_CONNECTIONS, Listener
from ingress.observer import Observer
from ingress.serving import Serving
from ingress.termination import Termination


@dataclass(frozen=True, slots=True)
class Admin:
    """The admin listener with its site."""

    listener: Listener
    site: IProtocolFactory
    readiness: Readiness
    """The state that `site` shows; it begins with the reason ``start``."""


class IngressService(Service):
    """
    The service of one process: the control plane, and the data plane or its workers.

    :param serving: receives what `control_plane` publishes.
    :param termination: handles the signals, and ends the process if it cannot start.
    :param observers: started when the proxy serves, stopped when it begins to end.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        admin: Admin,
        control_plane: ControlPlane,
        serving: Serving,
        termination: Termination,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.readiness = admin.readiness
        self._reactor = reactor
        self._admin = admin
        self._control_plane = control_plane
        self._serving = serving
        self._termination = termination
        self._observers = tuple(observers)
        self._started: list[Observer] = []
        self._has_begun = False
        """Whether there is anybody to serve on for."""

        self._delay: Deferred[None] | None = None
        """What is waited for before the listeners close."""

    # Starting.

    def startService(self) -> None:
        """
        IService. All but the forks begin when the reactor runs, because a reactor that does
        not run cannot be stopped.
        """
        super().startService()  # type: ignore[no-untyped-call]
        self._serving.launch()
        self._termination.install(self._cut)
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
        self._has_begun = True
        for observer in self._observers:
            observer.start()
            self._started.append(observer)

    def _cannot_start(self, failure: Failure) -> None:
        if isinstance(failure.value, ListenError):
            self.log.critical("{error}", error=failure.value)
        else:
            self.log.failure("The proxy cannot start", failure)
        self._termination.fail()

    # Stopping.

    def stopService(self) -> Deferred[None]:
        """IService: fires when the last exchange or the grace period is over."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    def _cut(self) -> None:
        if self._delay is not None:
            self._delay.cancel()
        self._serving.cut()

    async def _stop(self) -> None:
        self.readiness.is_ending = True
        self.readiness.add("drain", "the process is draining")
        delay = self._control_plane.config.shutdown_delay
        if delay and self._has_begun:
            self.log.info("Serving on for {delay} seconds (shutdown-delay)", delay=delay)
            self._delay = deferLater(self._reactor, delay)
            with suppress(CancelledError):
                await self._delay
        ending = [observer.stop() for observer in self._started]
        ending.append(self._control_plane.stop())
        await self._serving.drain(self._control_plane.config.shutdown_grace)
        for ended in ending:
            await ended
        await self._admin.listener.stop()
