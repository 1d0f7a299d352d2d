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
from ingress.problem import Problem
from ingress.problem_log import ProblemLog


class ObjectSource(Protocol):
    """Where objects come from: it keeps an ObjectStore as they are there."""

    @property
    def problems(self) -> Mapping[Any, tuple[Problem, ...]]:
        """
        What is wrong with what it reads, with the lines of now, by what that is; a
        mapping that is never changed.
        """

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` whenever `problems` has become another mapping."""

    def start(self) -> Deferred[None]:
        """
        Load everything, then follow changes until `stop`.

        :return: fires when everything is in the store; fails only for a fault of ours.
        """

    def reconfigure(self, config: Config) -> None:
        """Another configuration applies; what needs a restart is the same in it."""

    def stop(self) -> Deferred[None]:
        """
        Follow changes no longer; the store stays as it is.

        :return: fires when nothing is under way any more.
        """


class ControlPlane:
    """
    Everything that changes what is served.

    :param config: what runs first.
    :param run_in_thread: for reading the configuration file.
    :param writer: to the cluster that the objects are from, if they are from one.
    :param close: called when neither source nor writer does anything any more: closes what
        they have in common.
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
        close: Callable[[], Deferred[None]] = lambda: succeed(None),
    ) -> None:
        self._source = source
        self.controller = controller
        self.problem_log = problem_log
        self._writer = writer
        self._close = close
        self.live_config = LiveConfig(config, self._configure, run_in_thread)
        self._config_watcher = FileWatcher(reactor, [str(config.path)], self.live_config.look)
        self._has_stopped = False

    async def start(self) -> None:
        """:return: when the first Snapshot is published, or `stop` was called."""
        self._source.subscribe(self._tell_problems)
        await self._source.start()
        if not self._has_stopped:
            self._tell_problems()
            self.controller.start()
            await self.controller.published
        if self._has_stopped:
            return
        if self._writer is not None:
            self._writer.start()
        self._config_watcher.start()
        # It may have changed since it was read, before there was a reactor.
        self.live_config.look()

    def stop(self) -> Deferred[None]:
        """
        Change nothing any more; what was published is served on.

        :return: fires when nothing is read or written any more, which a slow disk may delay,
            and a slow API server for half a minute.
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

    def _configure(self, config: Config) -> None:
        self._source.reconfigure(config)
        self.controller.reconfigure(config)

    def _tell_problems(self) -> None:
        self.problem_log.report("source", self._source.problems, is_located=True)
