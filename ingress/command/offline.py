"""
Files, or a cluster, read and built once: by the same readers and the same build as in serving.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ingress.command.assumed_endpoints import assumed_endpoints
from ingress.command.bounded_input import copy_input, is_stream
from ingress.command.failure import CannotRun
from ingress.command.overlay import with_objects
from ingress.config import Cluster, Config
from ingress.config import FilesSource as FilesSetting
from ingress.config_file import ConfigError, load_config
from ingress.kube.file_reading import AtOnce, FileReading, at_once
from ingress.kube.objects import Ingress, Objects
from ingress.kube.store import FIELDS, ObjectStore
from ingress.problem import Origin, Problem
from ingress.routing.build import Built, build_steps
from ingress.steps import finish, ticking

if TYPE_CHECKING:
    from ingress.command.cluster_reading import ClusterContent


@dataclass(frozen=True)
class Offline:
    """What files contain, and what is served of it."""

    config: Config
    built: Built
    problems: tuple[Problem, ...]
    """In the order of files and lines; with the line of the field."""

    remarks: tuple[Problem, ...]
    """What was asked for beside the Problems, in the same order."""

    skipped: Mapping[str, int]
    """The number of objects of each kind that is not read."""

    is_for_cluster: bool = False
    """
    Whether it is made of files that were named: they are applied to a cluster, which has more.
    """


def read_config(file: str | None, paths: Sequence[str], cluster: Cluster | None = None) -> Config:
    """
    :param file: a configuration; without it the defaults hold, but for the objects.
    :param paths: files and folders that take the place of the configuration's.
    :param cluster: takes the place of the configuration's objects as well.
    :raises CannotRun: if there is neither, or if the configuration is wrong.
    """
    if file is None:
        if not paths and cluster is None:
            raise CannotRun(
                "name files or folders with manifests, a cluster (--kubeconfig, --in-cluster) or a "
                "configuration (--config)"
            )
        config = Config()
    else:
        try:
            config = load_config(Path(file))
        except ConfigError as error:
            raise CannotRun(str(error)) from None
    if paths:
        missing = [path for path in paths if not os.path.exists(path)]
        if missing:
            raise CannotRun(f"{missing[0]}: there is no such file or folder")
        endpoints = config.source.endpoints
        return replace(
            config, cluster=None, source=FilesSetting(tuple(map(Path, paths)), endpoints)
        )
    if cluster is not None:
        namespaces = config.cluster.namespaces if config.cluster is not None else ()
        named = replace(cluster, namespaces=namespaces)
        return replace(config, cluster=named, source=FilesSetting())
    seen = tuple(map(_from_here, config.source.paths))
    return replace(config, source=replace(config.source, paths=seen))


def _from_here(path: Path) -> Path:
    """:return: the same path as people in the current folder write it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) and path != here else path


@contextmanager
def readable(paths: Sequence[str]) -> Iterator[list[str]]:
    """
    Put standard input, and what pipes such as ``/dev/fd/63`` have, into files for as long as they
    are needed: serving reads files and folders alone.
    """
    streams = dict.fromkeys(filter(is_stream, paths))
    if not streams:
        yield list(paths)
        return
    with tempfile.TemporaryDirectory(prefix="txingress-") as folder:
        files = {name: f"{folder}/{number}.yaml" for number, name in enumerate(streams)}
        for name, file in files.items():
            copy_input(name, file)
        yield [files.get(path, path) for path in paths]


def no_remarks(built: Built) -> Iterable[Problem]:
    """:return: nothing beside the Problems of serving."""
    return ()


def load(
    file: str | None,
    paths: Sequence[str],
    *,
    cluster: Cluster | None = None,
    now: datetime | None = None,
    remark: Callable[[Built], Iterable[Problem]] = no_remarks,
    assumes_endpoints: bool = False,
    tick: Callable[[], None] | None = None,
) -> Offline:
    """
    Read and build once.

    :param file: the configuration, if there is one.
    :param paths: files and folders; `STANDARD_INPUT` is one of them.
    :param cluster: what is read in place of files, and of the configuration's objects.
    :param now: decides which certificates are valid; the present if None.
    :param remark: finds more to say about the result, which gets its lines as Problems do.
    :param assumes_endpoints: whether Services without endpoints get one (`assumed_endpoints`).
    :param tick: is called again and again, as long as it takes.
    :raises CannotRun: if nothing can be read.
    """
    if paths and cluster is not None:
        raise CannotRun("name files and folders, or a cluster")
    now = now or datetime.now(UTC)
    with readable(paths) as real:
        config = read_config(file, real, cluster)
        if config.cluster is not None:
            content = _read_cluster(config)
            return _offline(config, content.objects, content.problems, now, remark)
        files = _read_files(config, tick)
        objects = files.objects
        if assumes_endpoints:
            objects = assumed_endpoints(objects, config)
        loaded = _offline(config, objects, files.problems, now, remark, files.reading, tick)
    loaded = replace(loaded, is_for_cluster=bool(paths))
    if real == list(paths):
        return loaded
    names = dict(zip(real, paths, strict=True))
    return replace(
        loaded,
        problems=tuple(_renamed(each, names) for each in loaded.problems),
        remarks=tuple(_renamed(each, names) for each in loaded.remarks),
    )


def load_change(
    file: str | None, path: str, cluster: Cluster, *, now: datetime | None = None
) -> tuple[Offline, Offline]:
    """
    Read a cluster, and what it would be if some files were applied to it.

    :param file: the configuration, if there is one.
    :param path: a file or folder, or `STANDARD_INPUT`.
    :raises CannotRun: if one of the two cannot be read.
    """
    now = now or datetime.now(UTC)
    with readable([path]) as real:
        setting = read_config(file, real)
        config = read_config(file, (), cluster)
        files = _read_files(setting)
        further = tuple(files.objects.ingresses.values())
        content = _read_cluster(config, further)
        given = (
            item for field in FIELDS.values() for item in getattr(files.objects, field).values()
        )
        objects = with_objects(content.objects, given)
        old = _offline(config, content.objects, content.problems, now, no_remarks)
        new = _offline(config, objects, files.problems, now, no_remarks, files.reading)
    return old, new


def offline_of(
    content: ClusterContent, config: Config, remark: Callable[[Built], Iterable[Problem]]
) -> Offline:
    """
    :param content: of a cluster that was read already.
    :param config: the configuration that it was read for.
    """
    return _offline(config, content.objects, content.problems, datetime.now(UTC), remark)


def _renamed(problem: Problem, names: Mapping[str, str]) -> Problem:
    file = names.get(problem.origin.file, problem.origin.file)
    return replace(problem, origin=Origin(file, problem.origin.line))


def _read_cluster(config: Config, further: Iterable[Ingress] = ()) -> ClusterContent:
    # The client of the API server takes longer to import than ten files to check.
    from ingress.command.cluster_reading import read_cluster

    return read_cluster(config, further)


@dataclass(frozen=True)
class _Files:
    """What files contain, before anything is built of it."""

    reading: FileReading
    objects: Objects
    problems: tuple[Problem, ...]


def _read_files(config: Config, tick: Callable[[], None] | None = None) -> _Files:
    store = ObjectStore()
    reading = FileReading(
        AtOnce(tick), store, config.source.paths, config.tls.secrets, config.path, config.config_map
    )
    at_once(reading.cycle())
    found = tuple(problem for those in reading.report.problems.values() for problem in those)
    return _Files(reading, store.view(), found)


def _offline(
    config: Config,
    objects: Objects,
    found: Iterable[Problem],
    now: datetime,
    remark: Callable[[Built], Iterable[Problem]],
    reading: FileReading | None = None,
    tick: Callable[[], None] | None = None,
) -> Offline:
    """
    :param found: the Problems of reading.
    :param reading: knows the lines; None for the objects of a cluster.
    """
    steps = build_steps(objects, config, None, now=now)
    built = finish(steps if tick is None else ticking(steps, tick))
    served = [*found, *built.all_problems()]
    # Together, because the lines of an object are looked for once.
    located = _located(reading, [*served, *remark(built)])
    problems = tuple(sorted(located[: len(served)], key=place_of))
    remarks = tuple(sorted(located[len(served) :], key=place_of))
    skipped = reading.report.skipped if reading is not None else {}
    return Offline(config, built, problems, remarks, Counter(skipped))


def _located(reading: FileReading | None, problems: list[Problem]) -> list[Problem]:
    """:return: the same in the same order, each with the line of its field."""
    return problems if reading is None else at_once(reading.locate(problems))


def place_of(problem: Problem) -> tuple[str, int]:
    """:return: what Problems are sorted by: file and line."""
    return (problem.origin.file, problem.origin.line)
