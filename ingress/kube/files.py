"""
Objects from files and folders: read, watched, and kept in the ObjectStore.

A cycle scans the disk (in a thread), reads the files that have changed and settled (in a
thread), parses them (in slices of a few milliseconds) and changes the store once.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike, fspath
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ingress.config import Config
from ingress.kube.awaited_config_map import AwaitedConfigMap
from ingress.kube.change import POLL_DELAY, QUIET_DELAY, WATCHED_POLL_DELAY, Change
from ingress.kube.claims import Claims
from ingress.kube.fault import read_field
from ingress.kube.field_lines import Wanted, find_field_lines
from ingress.kube.file_batch import batches, read_all
from ingress.kube.file_report import FileReport
from ingress.kube.folder import FoundFile, Listing, find_files, scan_manifests
from ingress.kube.manifest_content import Content
from ingress.kube.manifest_file import ManifestFile
from ingress.kube.manifest_update import update_file
from ingress.kube.objects import ObjectKey, ObjectName
from ingress.kube.pem_folder import scan_secrets
from ingress.kube.reactor_access import MakeWatcher, run_in_reactor_thread, watch_folders
from ingress.kube.settling import Settling
from ingress.kube.slices import SLICE_DURATION, Slices, Stopped
from ingress.kube.store import ObjectStore
from ingress.memory import SlowRelease, settle_objects
from ingress.problem import Origin, Problem, moved, printable
from ingress.steps import STRIDE, Steps

_log = Logger()

LOADING_SLICE: Final = 0.02
"""Seconds that parsing blocks the reactor during the first load, before anything is served."""

RENAME_DELAY: Final = 0.005
"""Seconds from a rename to the reading of the file: several come within a millisecond or two."""

_T = TypeVar("_T")

RunInThread = Callable[..., "Deferred[Any]"]


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
        make_watcher: MakeWatcher = watch_folders,
        configuration: str | PathLike[str] | None = None,
        config_map: ObjectName | None = None,
    ) -> None:
        self._reactor = reactor
        self._store = store
        self._paths = tuple(fspath(path) for path in paths)
        self._secrets = None if secrets is None else fspath(secrets)
        self._configuration = fspath(configuration or "")
        self._run_in_thread = run_in_thread or partial(run_in_reactor_thread, reactor)
        self._slices = Slices(reactor, settle)
        self._release = SlowRelease(reactor)
        self._watcher = make_watcher(reactor, self._notice)
        self._settling = Settling()
        self._claims = Claims()
        self._awaited = AwaitedConfigMap(config_map)
        self._known: dict[str, FoundFile] = {}
        self._files: dict[str, ManifestFile] = {}
        self._report = FileReport()
        self._listing = Listing()
        """The last scan, without its many files."""

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
        return f"<FilesSource {len(self._files)} files of {', '.join(self._paths)}>"

    @property
    def problems(self) -> Mapping[str, tuple[Problem, ...]]:
        """The Problems by file; the mapping is never changed."""
        return self._report.problems

    @property
    def skipped(self) -> Mapping[str, int]:
        """The number of objects of each kind that is not read; never changed."""
        return self._report.skipped

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` whenever `problems` has become another mapping."""
        self._report.subscribe(changed)

    def relocate(self, problem: Problem) -> Problem:
        """
        The Problem of an object, with the present line of the object.

        An object that only moved in its file stays the same object, to avoid a build; its
        origin is the line on which it was parsed.
        """
        key = (problem.kind, problem.namespace, problem.name)
        file = self._files.get(problem.origin.file)
        if file is None or key not in file.objects or not problem.origin.line:
            return problem
        delta = file.lines[key] - file.objects[key].origin.line
        origin = Origin(problem.origin.file, problem.origin.line + delta)
        return moved(problem, origin) if delta else problem

    def locate(self, problems: Sequence[Problem]) -> Deferred[list[Problem]]:
        """The same as `relocate`, with the line of the field; this reads the files."""
        return Deferred.fromCoroutine(self._locate(problems))

    async def _locate(self, problems: Sequence[Problem]) -> list[Problem]:
        located = [self.relocate(problem) for problem in problems]
        by_file: dict[str, tuple[FoundFile, list[int]]] = {}
        for index, problem in enumerate(located):
            found = self._known.get(problem.origin.file)
            if problem.field and problem.origin.line and found is not None and not found.is_pair:
                by_file.setdefault(found.path, (found, []))[1].append(index)
        for found, indexes in by_file.values():
            those = [located[index] for index in indexes]
            wanted = [Wanted(one.origin.line, read_field(one.field)) for one in those]
            lines = await self._run_in_thread(find_field_lines, found, wanted)
            for index, line in zip(indexes, lines, strict=True):
                located[index] = moved(located[index], Origin(found.path, line))
        return located

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
        known = self._awaited.configure(config.config_map)
        secrets = config.tls.secrets
        path = None if secrets is None else fspath(secrets)
        if path != self._secrets or not known.called:
            self._secrets = path
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
        self._awaited.stop()
        stopped: Deferred[None] = Deferred()
        self._stopping.append(stopped)
        self._say_stopped()
        return stopped

    def _say_stopped(self) -> None:
        while self._stopping and not (self._is_busy or self._is_running):
            self._stopping.pop().callback(None)

    def _notice(self, real: str, change: Change) -> None:
        """React to a change in a watched folder."""
        self._settling.notice(real, change, self._reactor.seconds())
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
        """
        Scan, read, parse and change the store.

        :return: seconds until the next cycle.
        """
        listing = await self._in_thread(self._scan)
        self._listing = replace(listing, files={}, folders=set())
        before = set(self._watcher.folders)
        is_watched = self._watcher.watch(listing.folders)
        if self._watcher.folders - before and is_watched:
            # A change between the scan and the watch would go unnoticed.
            self._must_look_again = True
        now = self._reactor.seconds()
        self._awaited.unsettled.clear()
        due, gone, wait = await self._slices.run(
            self._settling.select(listing, self._known, now, settled=not self._is_loaded)
        )
        affected: dict[ObjectKey, None] = {}  # in place of a set, for the order
        await self._read(due, affected)
        await self._slices.run(self._forget(gone, affected))
        await self._slices.run(self._publish(affected, listing))
        await self._take_renamed()
        self._slices.end_cycle()
        self._is_loaded = True
        self._slices.duration = SLICE_DURATION
        return min(wait, WATCHED_POLL_DELAY if is_watched else POLL_DELAY)

    async def _take_renamed(self) -> float:
        """
        Read files that were renamed into place, which are complete, without a scan.

        :return: seconds until the next cycle.
        """
        while self._renamed:
            renamed, self._renamed = tuple(self._renamed), {}
            found = await self._in_thread(find_files, self._listing, renamed)
            due = [each for each in found if not self._is_known(each)]
            affected: dict[ObjectKey, None] = {}
            await self._read(due, affected)
            await self._slices.run(self._publish(affected, self._listing))
        return WATCHED_POLL_DELAY

    def _is_known(self, found: FoundFile) -> bool:
        known = self._known.get(found.path)
        return known is not None and known.signature == found.signature

    async def _read(self, due: Sequence[FoundFile], affected: dict[ObjectKey, None]) -> None:
        """Read files and take over their contents."""
        for batch in batches(due):
            contents = await self._in_thread(read_all, batch)
            await self._slices.run(self._take_all(batch, contents, affected))

    def _take_all(
        self,
        batch: Sequence[FoundFile],
        contents: Sequence[Content],
        affected: dict[ObjectKey, None],
    ) -> Steps[None]:
        for found, content in zip(batch, contents, strict=True):
            yield from self._take(found, content, affected)

    async def _in_thread(self, function: Callable[..., _T], *args: object) -> _T:
        result: _T = await self._run_in_thread(function, *args)
        if not self._is_running:
            raise Stopped
        return result

    def _scan(self) -> Listing:
        """List the files on disk (in a thread)."""
        listing = Listing(configuration=os.path.realpath(self._configuration))
        scan_manifests(self._paths, listing)
        if self._secrets is not None:
            scan_secrets(self._secrets, len(self._paths), listing)
        return listing

    def _take(
        self, found: FoundFile, content: Content, affected: dict[ObjectKey, None]
    ) -> Steps[None]:
        """Take over the new content of one file."""
        if content.is_unsettled:
            self._must_look_again = True
            self._awaited.unsettled[found.path] = None
            return
        file = printable(found.path)
        before = self._files.get(file, ManifestFile())
        after = yield from update_file(file, content, before)
        known = self._known.get(found.path)
        if known is not None and known.order != found.order:
            withdrawn = yield from self._claims.replace(known.order, None)
            affected.update(dict.fromkeys(withdrawn))
        self._files[file] = after
        self._report.note(file, before, after)
        self._known[found.path] = found
        replaced = yield from self._claims.replace(found.order, after)
        affected.update(dict.fromkeys(replaced))
        if self._claims.losses and after.lines != before.lines:
            affected.update(dict.fromkeys(self._claims.losses.keys() & after.objects.keys()))
        yield from self._let_go(before)
        self._let_go_of(content.documents)

    def _forget(self, gone: Sequence[FoundFile], affected: dict[ObjectKey, None]) -> Steps[None]:
        """Remove the objects of files that are gone."""
        for found in gone:
            file = printable(found.path)
            del self._known[found.path]
            before = self._files.pop(file, None)
            withdrawn = yield from self._claims.replace(found.order, None)
            affected.update(dict.fromkeys(withdrawn))
            if before is not None:
                self._report.note(file, before, ManifestFile())
                yield from self._let_go(before)
            yield

    def _let_go(self, before: ManifestFile) -> Steps[None]:
        """Release the former content of a file slowly."""
        for count, document in enumerate(before.documents.values()):
            self._let_go_of(document.readings)
            if count % STRIDE == STRIDE - 1:
                yield
        for mapping in (before.documents, before.objects, before.lines):
            self._let_go_of(mapping)

    def _let_go_of(self, objects: Mapping[Any, object] | Sequence[object]) -> None:
        if len(objects) > STRIDE:
            self._release.hold(objects)

    def _publish(self, affected: Mapping[ObjectKey, None], listing: Listing) -> Steps[None]:
        """Change the store once, then report Problems."""
        upserts, deletes = yield from self._claims.settle(affected)
        found, missing = self._awaited.changes(self._claims.find, self._files.values(), listing)
        yield from self._store.apply_in_steps([*upserts, *found], [*deletes, *missing])
        self._awaited.applied()
        self._report.publish(listing, self._claims.losses.values())
