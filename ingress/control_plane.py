"""
From objects to Snapshots: the source, the controller, and the configuration file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed

from ingress.config import Config
from ingress.controller import Controller
from ingress.kube.watch import FileWatcher
from ingress.kube.writing.cluster_writer import ClusterWriter
from ingress.live_config import LiveConfig, RunInThread
from ingress.port_service import PortKey
from ingress.problem import Problem
from ingress.problem_code import Code
from ingress.problem_log import ProblemLog


class ObjectSource(Protocol):
    """A source of objects; it keeps an ObjectStore up to date."""

    @property
    def problems(self) -> Mapping[Any, tuple[Problem, ...]]:
        """
        The Problems of what it reads, with up-to-date lines, grouped by the file or kind; a
        mapping that is never changed.
        """

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` whenever `problems` has become another mapping."""

    def start(self) -> Deferred[None]:
        """
        Load everything, then follow changes until `stop`.

        :return: fires when everything is in the store; fails only for a fault of ours.
        """

    def reconfigure(self, config: Config) -> Deferred[None]:
        """
        Apply another configuration; fields that need a restart are unchanged in it.

        :return: fires when the objects that it names are in the store, or another one or `stop`
            has followed; builds must wait for that.
        """

    def stop(self) -> Deferred[None]:
        """
        Stop following changes; the store stays as it is.

        :return: fires when nothing is under way any more.
        """


class ControlPlane:
    """
    The source, the controller and the configuration file, started and stopped together.

    :param config: the first configuration.
    :param run_in_thread: for reading the configuration file.
    :param writer: writes to the cluster that the objects come from, if any.
    :param configured: called with each new configuration that is applied.
    :param close: called when source and writer have stopped, to close what they share.
    """

    def __init__(
        self,
        reactor: Any,
        config: Config,
        source: ObjectSource,
        controller: Controller,
        problem_log: ProblemLog,
        run_in_thread: RunInThread,
        writer: ClusterWriter | None = None,
        *,
        configured: Callable[[Config], None] = lambda config: None,
        close: Callable[[], Deferred[None]] = lambda: succeed(None),
    ) -> None:
        self._source = source
        self.controller = controller
        self.problem_log = problem_log
        self._writer = writer
        self._configured = configured
        self._close = close
        self.live_config = LiveConfig(config, self._configure, run_in_thread)
        self._config_watcher = FileWatcher(reactor, _watched(config), self.live_config.look)
        self._has_stopped = False

    async def start(self) -> None:
        """Return when the first Snapshot is published, or `stop` was called."""
        self._source.subscribe(self._report_problems)
        await self._source.start()
        if not self._has_stopped:
            self._report_problems()
            self.controller.start()
            await self.controller.published
        if self._has_stopped:
            return
        if self._writer is not None:
            self._writer.start()
        self._config_watcher.start()
        # The file may have changed since it was read, before the reactor ran.
        self.live_config.look()

    @property
    def config(self) -> Config:
        """The configuration in force, with the values of ingress-nginx's ConfigMap."""
        built = self.controller.built
        return self.live_config.current if built is None else built.snapshot.config

    def stop(self) -> Deferred[None]:
        """
        Stop all changes; the published Snapshot is still served.

        :return: fires when reading and writing have ended. A slow disk can delay that, a slow
            API server for half a minute.
        """
        self._has_stopped = True
        self._config_watcher.stop()
        self.live_config.stop()
        self.controller.stop()
        writer_stopped = self._writer.stop() if self._writer is not None else succeed(None)
        stopped = self._source.stop()
        self.problem_log.flush()
        stopped.addCallback(lambda _: writer_stopped)
        return stopped.addCallback(lambda _: self._close())

    def report_ports(self, failures: Mapping[PortKey, str]) -> None:
        """
        Make Problems of the ports of TCP and UDP services that cannot be opened.

        :param failures: the reason for each.
        """
        built = self.controller.built
        found: dict[PortKey, tuple[Problem, ...]] = {}
        for key, reason in failures.items():
            service = built.snapshot.ports.get(key) if built is not None else None
            if service is not None:
                message = f"the port is not open: {reason}; it is tried again every few seconds"
                found[key] = (service.source.problem(Code.PORT_CLOSED, message),)
        self.problem_log.report("ports", found)

    def _configure(self, config: Config) -> None:
        self._configured(config)
        self._config_watcher.replace(_watched(config))
        self._source.reconfigure(config).addCallback(lambda _: self._build_with(config))

    def _build_with(self, config: Config) -> None:
        if config is self.live_config.current and not self._has_stopped:
            self.controller.reconfigure(config)

    def _report_problems(self) -> None:
        self.problem_log.report("source", self._source.problems, is_located=True)


def _watched(config: Config) -> list[str]:
    """What a configuration is read from: its file, and the folder of its error pages."""
    folder = config.error_pages.folder
    return [str(config.path)] if folder is None else [str(config.path), str(folder)]
