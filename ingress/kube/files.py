"""
Objects from files and folders: read, watched, and kept in the ObjectStore, beside a reactor.

`ingress.kube.file_reading` does the work, in cycles: what waits for the disk in a thread, and what
parses in slices of a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from os import PathLike, fspath
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from ingress.config import Config
from ingress.kube.change import (
    POLL_DELAY,
    QUIET_DELAY,
    WATCHED_POLL_DELAY,
    Change,
    ChangeCallback,
)
from ingress.kube.file_reading import FileReading
from ingress.kube.objects import ObjectName
from ingress.kube.slices import SLICE_DURATION, Slices, Stopped
from ingress.kube.store import ObjectStore
from ingress.kube.watch import FolderWatcher
from ingress.memory import SlowRelease, settle_objects
from ingress.problem import Problem
from ingress.steps import Steps

_log = Logger()

LOADING_SLICE: Final = 0.02
"""Seconds that parsing blocks the reactor during the first load, before anything is served."""

RENAME_DELAY: Final = 0.005
"""Seconds from a rename to the reading of the file: several come within a millisecond or two."""

_T = TypeVar("_T")

RunInThread = Callable[..., "Deferred[Any]"]

MakeWatcher = Callable[[Any, ChangeCallback], FolderWatcher]
"""Makes what reports changes in folders; it takes the reactor and what is called."""


class FilesSource:
    """
    Keeps an ObjectStore in step with the files.

    :param reactor: for time, and for file descriptors where it has them.
    :param store: must have no other writer.
    :param paths: files and folders of manifests in order; of two that contain the same
        object, the first one counts.
    :param secrets: folder of PEM files, last in order; may be missing.
    :param run_in_thread: calls a function in a thread; None for the reactor's threads.
    :param make_watcher: makes what reports changes in folders.
    :param settle: called repeatedly during a large load.
    :param configuration: the configuration file, which may be among the manifests and is none.
    :param config_map: what the configuration names as ``config-map``.
    """

    def __init__(
        self,
        reactor: Any,
        store: ObjectStore,
        paths: Sequence[str | PathLike[str]],
        secrets: str | PathLike[str] | None = None,
        run_in_thread: RunInThread | None = None,
        settle: Callable[[], None] = settle_objects,
        make_watcher: MakeWatcher = FolderWatcher,
        configuration: str | PathLike[str] | None = None,
        config_map: ObjectName | None = None,
    ) -> None:
        self._reactor = reactor
        self._paths = tuple(fspath(path) for path in paths)
        self._reading = FileReading(self, store, paths, secrets, configuration, config_map)
        self._run_in_thread = run_in_thread or partial(
            deferToThreadPool, reactor, reactor.getThreadPool()
        )
        self._slices = Slices(reactor, settle)
        self._release = SlowRelease(reactor)
        self._watcher = make_watcher(reactor, self._notice)
        self._renamed: dict[str, None] = {}
        """Real paths that something was renamed to; in place of a set, for the order."""

        self._stopping: list[Deferred[None]] = []
        self._call: Any = None
        self._rename_call: Any = None
        self._is_running = False
        self._is_busy = False
        self._is_loaded = False
        self._must_look_again = False

    def __repr__(self) -> str:
        return f"<FilesSource {self._reading}>"

    @property
    def problems(self) -> Mapping[str, tuple[Problem, ...]]:
        """The Problems by file; the mapping is never changed."""
        return self._reading.report.problems

    @property
    def skipped(self) -> Mapping[str, int]:
        """The number of objects of each kind that is not read; never changed."""
        return self._reading.report.skipped

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` whenever `problems` has become another mapping."""
        self._reading.report.subscribe(changed)

    def relocate(self, problem: Problem) -> Problem:
        """As `FileReading.relocate`."""
        return self._reading.relocate(problem)

    def locate(self, problems: Sequence[Problem]) -> Deferred[list[Problem]]:
        """As `FileReading.locate`."""
        return Deferred.fromCoroutine(self._reading.locate(problems))

    def start(self) -> Deferred[None]:
        """
        Load everything, then follow changes until `stop`.

        :return: fires when everything is in the store; fails only by a bug.
        """
        self._is_running = self._slices.is_running = True
        self._slices.duration = LOADING_SLICE
        return Deferred.fromCoroutine(self._look(self._cycle))

    def reconfigure(self, config: Config) -> Deferred[None]:
        """
        Apply another configuration: its folder of PEM files, and its ConfigMap.

        :return: fires when the ConfigMap is known, or known to be unknown; everything else that
            a configuration names is known already.
        """
        known = self._reading.awaited.configure(config.config_map)
        secrets = config.tls.secrets
        path = None if secrets is None else fspath(secrets)
        if path != self._reading.secrets or not known.called:
            self._reading.secrets = path
            self._schedule(0)
        return known

    def stop(self) -> Deferred[None]:
        """
        Stop following changes; the store stays as it is.

        :return: fires when no work is left.
        """
        self._is_running = self._slices.is_running = False
        self._watcher.stop()
        self._release.stop()
        for call in (self._call, self._rename_call):
            if call is not None and call.active():
                call.cancel()
        self._reading.awaited.stop()
        stopped: Deferred[None] = Deferred()
        self._stopping.append(stopped)
        self._say_stopped()
        return stopped

    def _say_stopped(self) -> None:
        while self._stopping and not (self._is_busy or self._is_running):
            self._stopping.pop().callback(None)

    def _notice(self, real: str, change: Change) -> None:
        """React to a change in a watched folder."""
        self._reading.settling.notice(real, change, self._reactor.seconds())
        if change is Change.RENAMED and self._is_running:
            self._renamed[real] = None
            if self._rename_call is None or not self._rename_call.active():
                self._rename_call = self._reactor.callLater(RENAME_DELAY, self._start_renamed)
        self._schedule(QUIET_DELAY)

    def _schedule(self, delay: float) -> None:
        """Look again after ``delay`` seconds, or earlier if an earlier look is planned."""
        if not self._is_running:
            return
        if self._is_busy:
            self._must_look_again = self._must_look_again or delay <= QUIET_DELAY
        elif self._call is None or not self._call.active():
            self._call = self._reactor.callLater(delay, self._start_look)
        elif self._call.getTime() > self._reactor.seconds() + delay:
            self._call.reset(delay)

    def _start_look(self) -> None:
        if self._is_busy:
            self._must_look_again = True
        else:
            Deferred.fromCoroutine(self._look(self._cycle))

    def _start_renamed(self) -> None:
        # A cycle that is under way reads them itself.
        if not self._is_busy:
            Deferred.fromCoroutine(self._look(self._take_renamed))

    async def _look(self, cycle: Callable[[], Awaitable[float]]) -> None:
        """Run one cycle and plan the next one, also after an error."""
        self._is_busy = True
        self._slices.begin_cycle()
        self._must_look_again = False
        delay = POLL_DELAY
        try:
            delay = await cycle()
        except Stopped:
            pass
        except Exception:
            if not self._is_loaded:
                raise
            delay = WATCHED_POLL_DELAY
            _log.failure("The files of {paths} cannot be read", paths=self._paths)
        finally:
            self._is_busy = False
            self._say_stopped()
        self._schedule(QUIET_DELAY if self._must_look_again else delay)

    async def _cycle(self) -> float:
        """:return: seconds until the next cycle."""
        is_watched = True

        def watch(folders: Collection[str]) -> None:
            nonlocal is_watched
            if not self._is_running:
                raise Stopped
            before = set(self._watcher.folders)
            is_watched = self._watcher.watch(folders)
            if self._watcher.folders - before and is_watched:
                # A change between the scan and the watch would go unnoticed.
                self._must_look_again = True

        wait, must_look_again = await self._reading.cycle(self._reactor.seconds, watch)
        self._must_look_again = self._must_look_again or must_look_again
        await self._take_renamed()
        self._slices.end_cycle()
        self._is_loaded = True
        self._slices.duration = SLICE_DURATION
        return min(wait, WATCHED_POLL_DELAY if is_watched else POLL_DELAY)

    async def _take_renamed(self) -> float:
        """:return: seconds until the next cycle."""
        while self._renamed:
            renamed, self._renamed = tuple(self._renamed), {}
            must_look_again = await self._reading.take(renamed)
            self._must_look_again = self._must_look_again or must_look_again
        return WATCHED_POLL_DELAY

    async def in_thread(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Worker."""
        result: _T = await self._run_in_thread(function, *arguments)
        return result

    async def in_slices(self, work: Steps[_T]) -> _T:
        """Worker."""
        return await self._slices.run(work)

    def release(self, objects: Mapping[Any, object] | Sequence[object]) -> None:
        """Worker."""
        self._release.hold(objects)
