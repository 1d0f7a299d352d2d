"""
Problems as lines of the log: one when it appears, one when it is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from twisted.logger import Logger

from ingress.problem import Problem


class ProblemLog:
    """The Problems of all sources, as they are now."""

    log = Logger()

    def __init__(self) -> None:
        self._by_source: dict[str, Mapping[object, tuple[Problem, ...]]] = {}
        self._counts: dict[Problem, int] = {}

    def __repr__(self) -> str:
        return f"<ProblemLog of {len(self._counts)} problems>"

    def __len__(self) -> int:
        return len(self._counts)

    def replace(self, source: str, problems: Mapping[object, tuple[Problem, ...]]) -> None:
        """
        All Problems that a source knows now, in place of those that it knew before.

        :param source: who found them, such as ``files`` or ``build``.
        :param problems: by whatever owns them. A tuple that is the same object as
            before is not looked at again: ten thousand objects may have Problems.
        """
        before = self._by_source.get(source, {})
        self._by_source[source] = problems
        gone: list[Problem] = []
        for owner, old in before.items():
            if problems.get(owner) is not old:
                gone += old
        fresh: list[Problem] = []
        for owner, new in problems.items():
            if before.get(owner) is not new:
                fresh += new
        self._update(gone, fresh)

    def _update(self, gone: Iterable[Problem], fresh: Iterable[Problem]) -> None:
        """A Problem that is gone and back, or that two sources have, is not told again."""
        touched: dict[Problem, int] = {}
        for change, problems in ((-1, gone), (1, fresh)):
            for problem in problems:
                count = self._counts.get(problem, 0)
                touched.setdefault(problem, count)
                self._counts[problem] = count + change
        for problem, before in touched.items():
            now = self._counts[problem]
            if now and not before:
                self.log.warn("problem: {problem}", problem=problem)
            elif before and not now:
                self.log.info("problem gone: {problem}", problem=problem)
            if not now:
                del self._counts[problem]
