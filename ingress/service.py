"""
The running proxy: what starts and stops, in which order.

Starting: objects are read, a first Snapshot is built and published, and only
then do the listeners accept. Stopping: the listeners close, idle connections
close, exchanges under way have their grace, and what is left is cut.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.admin import Readiness, make_admin_site
from ingress.config import Config
from ingress.controller import Controller
from ingress.frontend.accepting_port import ConnectionLimit
from ingress.frontend.bound_socket import ListenError
from ingress.frontend.data_plane import DataPlane
from ingress.frontend.http1_factory import HTTP1Factory
from ingress.frontend.listeners import (
    ADMIN_CONNECTIONS,
    Listeners,
    raise_descriptor_limit,
    room_for_connections,
)
from ingress.frontend.tls import TLSContexts
from ingress.frontend.tls_transport import tls_transports
from ingress.kube.files import FilesSource
from ingress.kube.watch import FileWatcher
from ingress.live_config import LiveConfig, RunInThread
from ingress.problem_log import ProblemLog
from ingress.termination import Termination
from ingress.transport import ImmediateServer, ImmediateUNIXServer


class ControlPlane:
    """
    From files to Snapshots: the source, the controller, and the configuration file.

    :param config: what runs first.
    :param run_in_thread: for reading the configuration file.
    """

    def __init__(
        self,
        reactor: Any,
        config: Config,
        source: FilesSource,
        controller: Controller,
        problem_log: ProblemLog,
        run_in_thread: RunInThread,
    ) -> None:
        self._source = source
        self._controller = controller
        self._problem_log = problem_log
        self.live_config = LiveConfig(config, self._configure, run_in_thread)
        self._config_watcher = FileWatcher(reactor, [str(config.path)], self.live_config.look)
        self._has_stopped = False

    async def start(self) -> None:
        """:return: when the first Snapshot is published, or `stop` was called."""
        self._source.subscribe(self._tell_problems)
        await self._source.start()
        if self._has_stopped:
            return
        self._tell_problems()
        self._controller.start()
        await self._controller.published
        self._config_watcher.start()
        # It may have changed since it was read, before there was a reactor.
        self.live_config.look()

    def stop(self) -> Deferred[None]:
        """
        Change nothing any more; what was published is served on.

        :return: fires when nothing is read any more, which a slow disk may delay.
        """
        self._has_stopped = True
        self._config_watcher.stop()
        self.live_config.stop()
        self._controller.stop()
        stopped = self._source.stop()
        self._problem_log.flush()
        return stopped

    def _configure(self, config: Config) -> None:
        self._source.look_for_secrets(config.tls.secrets)
        self._controller.reconfigure(config)

    def _tell_problems(self) -> None:
        self._problem_log.report("files", self._source.problems, is_located=True)


class IngressService(Service):
    """
    :param reactor: the process's.
    :param listeners: bound, not yet accepting.
    :param plane: what `control_plane` publishes to.
    :param contexts: the TLS side of the https listener.
    :param termination: takes the signals, and is told where there is no way to start.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        listeners: Listeners,
        control_plane: ControlPlane,
        plane: DataPlane,
        contexts: TLSContexts,
        termination: Termination,
    ) -> None:
        self.readiness = Readiness(start="the first snapshot is not published yet")
        self._reactor = reactor
        self._listeners = listeners
        self._control_plane = control_plane
        self._plane = plane
        self._contexts = contexts
        self._termination = termination
        self._grace: IDelayedCall | None = None

    # Starting.

    def startService(self) -> None:
        """IService. It begins when the reactor runs: nobody can stop one that does not."""
        super().startService()  # type: ignore[no-untyped-call]
        self._termination.install(self._cut)
        self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        self._plane.deadlines.start()
        starting = Deferred.fromCoroutine(self._start())
        starting.addErrback(self._cannot_start)

    async def _start(self) -> None:
        plane = self._plane
        limit = plane.connection_limit
        limit.fit(room_for_connections(raise_descriptor_limit()))
        site = make_admin_site(self.readiness, self._reactor)
        self._listeners.admin.start(self._reactor, site, ConnectionLimit(ADMIN_CONNECTIONS))
        await self._control_plane.start()
        if not self.running:
            return
        tls, unix_tls = tls_transports(self._contexts.open_connection)
        self._listeners.http.start(
            self._reactor,
            HTTP1Factory(plane, is_secure=False),
            limit,
            transport=ImmediateServer,
            unix_transport=ImmediateUNIXServer,
        )
        self._listeners.https.start(
            self._reactor,
            HTTP1Factory(plane, is_secure=True),
            limit,
            transport=tls,
            unix_transport=unix_tls,
        )
        self.readiness.clear("start")

    def _cannot_start(self, failure: Failure) -> None:
        if isinstance(failure.value, ListenError):
            self.log.critical("{error}", error=failure.value)
        else:
            self.log.failure("The proxy cannot start", failure)
        self._termination.fail()

    # Stopping.

    async def _stop(self) -> None:
        self.readiness.is_ending = True
        self.readiness.add("drain", "the process is draining")
        self._plane.is_draining = True
        nothing_is_read = self._control_plane.stop()
        await self._listeners.http.stop()
        await self._listeners.https.stop()
        grace = self._control_plane.live_config.current.shutdown_grace
        self._grace = self._reactor.callLater(grace, self._cut)
        await self._plane.connections.drain()
        if self._grace.active():
            self._grace.cancel()
        self._plane.registry.close()
        self._plane.deadlines.stop()
        await nothing_is_read
        await self._listeners.admin.stop()

    def stopService(self) -> Deferred[None]:
        """IService: fires when the last exchange is over, or the grace."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    def _cut(self) -> None:
        """The grace is over, or somebody asked twice."""
        count = len(self._plane.connections)
        if count:
            self.log.warn("Connections that are cut: {count}", count=count)
        self._plane.connections.cut()
