"""
The Problems and the skipped objects of all files, kept up to date file by file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from ingress.kube.folder import Listing
from ingress.kube.manifest_file import ManifestFile
from ingress.late import LateLogger
from ingress.problem import Problem, printable, shown

_log = LateLogger(__name__)

KINDS_SHOWN: Final = 10
"""Skipped kinds that the log names; the others are counted."""


class FileReport:
    """What a source of files reports beside its objects."""

    def __init__(self) -> None:
        self._problems: Mapping[str, tuple[Problem, ...]] = MappingProxyType({})
        self._file_problems: dict[str, tuple[Problem, ...]] = {}
        self._skipped: Mapping[str, int] = MappingProxyType({})
        self._skipped_now: Counter[str] = Counter()
        self._subscribers: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<FileReport: Problems in {len(self._problems)} files>"

    @property
    def problems(self) -> Mapping[str, tuple[Problem, ...]]:
        """The Problems by file; the mapping is never changed."""
        return self._problems

    @property
    def skipped(self) -> Mapping[str, int]:
        """The number of objects of each kind that is not read; never changed."""
        return self._skipped

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` whenever `problems` has become another mapping."""
        self._subscribers.append(changed)

    def note(self, file: str, before: ManifestFile, after: ManifestFile) -> None:
        """Replace what one file has."""
        self._skipped_now.update(after.skipped)
        self._skipped_now.subtract(before.skipped)
        if after.problems:
            self._file_problems[file] = after.problems
        else:
            self._file_problems.pop(file, None)

    def publish(self, listing: Listing, losses: Iterable[Mapping[str, Problem]]) -> None:
        """
        Report what has changed.

        :param losses: the Problems of objects that another file has, by file.
        """
        self._log_skipped()
        problems = self._collect(listing, losses)
        if problems != self._problems:
            self._problems = MappingProxyType(problems)
            for subscriber in tuple(self._subscribers):
                subscriber()

    def _collect(
        self, listing: Listing, losses: Iterable[Mapping[str, Problem]]
    ) -> dict[str, tuple[Problem, ...]]:
        """The Problems by file: of its path, its content, and objects that another file has."""
        added: dict[str, list[Problem]] = {}
        for path, problem in listing.problems.items():
            added.setdefault(printable(path), []).append(problem)
        for those in losses:
            for name, problem in those.items():
                added.setdefault(name, []).append(problem)
        # An identical tuple if nothing is added: readers compare by identity.
        problems = dict(self._file_problems)
        for name, more in added.items():
            problems[name] = (*problems.get(name, ()), *more)
        return problems

    def _log_skipped(self) -> None:
        """Log the counts of skipped kinds if they have changed."""
        counts = +self._skipped_now
        if counts != self._skipped:
            self._skipped = MappingProxyType(counts)
            _log.info("{skipped}", skipped=_spell_skipped(counts))


def _spell_skipped(counts: Counter[str]) -> str:
    """A log line that names the skipped kinds with their counts."""
    if not counts:
        return "Objects of other kinds are gone"
    named = [f"{shown(kind)} {count}" for kind, count in counts.most_common(KINDS_SHOWN)]
    others = counts.total() - sum(count for _, count in counts.most_common(KINDS_SHOWN))
    if others:
        named.append(f"and {others} more")
    return f"Objects of other kinds have no effect, here as in ingress-nginx: {', '.join(named)}"
