"""
Reads the manifests of files and folders, and keeps the ObjectStore in step with them.

A cycle scans the disk, reads the files that have changed and settled, parses them in steps and
changes the store once. Who does that work, and when, is for others to say: `ingress.kube.files`
follows changes beside a reactor, and commands read once (`AtOnce`), for which they need no Twisted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import replace
from os import PathLike, fspath
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from ingress.kube.awaited_config_map import AwaitedConfigMap
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
from ingress.kube.settling import Settling
from ingress.kube.store import ObjectStore
from ingress.problem import Origin, Problem, moved, printable
from ingress.steps import STRIDE, Steps, finish, ticking

_T = TypeVar("_T")


class Worker(Protocol):
    """Does the work of a reading."""

    async def in_thread(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Call a function that waits for the disk."""

    async def in_slices(self, work: Steps[_T]) -> _T:
        """Do work in steps."""

    def release(self, objects: Mapping[Any, object] | Sequence[object]) -> None:
        """Keep objects for a while: there are so many that freeing them takes time."""


class AtOnce:
    """
    Does all work at once.

    :param tick: is called after each step of a work.
    """

    def __init__(self, tick: Callable[[], None] | None = None) -> None:
        self._tick = tick

    async def in_thread(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Worker."""
        return function(*arguments)

    async def in_slices(self, work: Steps[_T]) -> _T:
        """Worker."""
        return finish(work if self._tick is None else ticking(work, self._tick))

    def release(self, objects: object) -> None:
        """Worker."""


def at_once(reading: Coroutine[Any, Any, _T]) -> _T:
    """
    :param reading: of a `FileReading` whose worker is `AtOnce`.
    :return: its result.
    """
    try:
        reading.send(None)
    except StopIteration as end:
        result: _T = end.value
        return result
    raise RuntimeError("a reading that is done at once waits for something")


class Cycle(NamedTuple):
    """What came of a cycle."""

    wait: float
    """Seconds until a file that has changed has settled."""

    must_look_again: bool
    """Whether something changed while it was read."""


class FileReading:
    """
    The files as they were read last.

    :param store: must have no other writer.
    :param paths: files and folders of manifests in order; of two that contain the same
        object, the first one counts.
    :param secrets: folder of PEM files, last in order; may be missing.
    :param configuration: the configuration file, which may be among the manifests and is none.
    :param config_map: what the configuration names as ``config-map``.
    :ivar awaited: knows whether that may be in what cannot be read.
    :ivar report: what is wrong with the files.
    :ivar settling: knows which files change right now.
    """

    def __init__(
        self,
        worker: Worker,
        store: ObjectStore,
        paths: Sequence[str | PathLike[str]],
        secrets: str | PathLike[str] | None = None,
        configuration: str | PathLike[str] | None = None,
        config_map: ObjectName | None = None,
    ) -> None:
        self._worker = worker
        self._store = store
        self._paths: Final = tuple(fspath(path) for path in paths)
        self.secrets = None if secrets is None else fspath(secrets)
        self._configuration = fspath(configuration or "")
        self.report = FileReport()
        self.settling = Settling()
        self._claims = Claims()
        self.awaited = AwaitedConfigMap(config_map)
        self._known: dict[str, FoundFile] = {}
        self._files: dict[str, ManifestFile] = {}
        self._is_loaded = False
        self._listing = Listing()
        """The last scan, without its many files."""

        self._is_unsettled = False
        """Whether a file changed while it was read."""

    def __repr__(self) -> str:
        return f"<FileReading {len(self._files)} files of {', '.join(self._paths)}>"

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

    async def locate(self, problems: Sequence[Problem]) -> list[Problem]:
        """:return: the same as `relocate`, with the line of the field; this reads the files."""
        located = [self.relocate(problem) for problem in problems]
        by_file: dict[str, tuple[FoundFile, list[int]]] = {}
        for index, problem in enumerate(located):
            found = self._known.get(problem.origin.file)
            if problem.field and problem.origin.line and found is not None and not found.is_pair:
                by_file.setdefault(found.path, (found, []))[1].append(index)
        for found, indexes in by_file.values():
            those = [located[index] for index in indexes]
            wanted = [Wanted(one.origin.line, read_field(one.field)) for one in those]
            lines = await self._worker.in_thread(find_field_lines, found, wanted)
            for index, line in zip(indexes, lines, strict=True):
                located[index] = moved(located[index], Origin(found.path, line))
        return located

    async def cycle(
        self,
        now: Callable[[], float] = lambda: 0.0,
        watch: Callable[[Collection[str]], None] = lambda folders: None,
    ) -> Cycle:
        """
        Scan, read, parse and change the store.

        :param now: of a clock; the first cycle waits for no file.
        :param watch: called with the folders that were scanned.
        """
        self._is_unsettled = False
        listing = await self._worker.in_thread(self._scan)
        self._listing = replace(listing, files={}, folders=set())
        watch(listing.folders)
        self.awaited.unsettled.clear()
        due, gone, wait = await self._worker.in_slices(
            self.settling.select(listing, self._known, now(), settled=not self._is_loaded)
        )
        affected: dict[ObjectKey, None] = {}  # in place of a set, for the order
        await self._read(due, affected)
        await self._worker.in_slices(self._forget(gone, affected))
        await self._worker.in_slices(self._publish(affected, listing))
        self._is_loaded = True
        return Cycle(wait, self._is_unsettled)

    async def take(self, renamed: Sequence[str]) -> bool:
        """
        Read files that were renamed into place, which are complete, without a scan.

        :return: whether something changed while it was read.
        """
        self._is_unsettled = False
        found = await self._worker.in_thread(find_files, self._listing, renamed)
        due = [each for each in found if not self._is_known(each)]
        affected: dict[ObjectKey, None] = {}
        await self._read(due, affected)
        await self._worker.in_slices(self._publish(affected, self._listing))
        return self._is_unsettled

    def _is_known(self, found: FoundFile) -> bool:
        known = self._known.get(found.path)
        return known is not None and known.signature == found.signature

    async def _read(self, due: Sequence[FoundFile], affected: dict[ObjectKey, None]) -> None:
        """Read files and take over their contents."""
        for batch in batches(due):
            contents = await self._worker.in_thread(read_all, batch)
            await self._worker.in_slices(self._take_all(batch, contents, affected))

    def _take_all(
        self,
        batch: Sequence[FoundFile],
        contents: Sequence[Content],
        affected: dict[ObjectKey, None],
    ) -> Steps[None]:
        for found, content in zip(batch, contents, strict=True):
            yield from self._take(found, content, affected)

    def _scan(self) -> Listing:
        """List the files on disk (in a thread)."""
        listing = Listing(configuration=os.path.realpath(self._configuration))
        scan_manifests(self._paths, listing)
        if self.secrets is not None:
            scan_secrets(self.secrets, len(self._paths), listing)
        return listing

    def _take(
        self, found: FoundFile, content: Content, affected: dict[ObjectKey, None]
    ) -> Steps[None]:
        """Take over the new content of one file."""
        if content.is_unsettled:
            self._is_unsettled = True
            self.awaited.unsettled[found.path] = None
            return
        file = printable(found.path)
        before = self._files.get(file, ManifestFile())
        after = yield from update_file(file, content, before)
        known = self._known.get(found.path)
        if known is not None and known.order != found.order:
            withdrawn = yield from self._claims.replace(known.order, None)
            affected.update(dict.fromkeys(withdrawn))
        self._files[file] = after
        self.report.note(file, before, after)
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
                self.report.note(file, before, ManifestFile())
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
            self._worker.release(objects)

    def _publish(self, affected: Mapping[ObjectKey, None], listing: Listing) -> Steps[None]:
        """Change the store once, then report Problems."""
        upserts, deletes = yield from self._claims.settle(affected)
        found, missing = self.awaited.changes(self._claims.find, self._files.values(), listing)
        yield from self._store.apply_in_steps([*upserts, *found], [*deletes, *missing])
        self.awaited.applied()
        self.report.publish(listing, self._claims.losses.values())
