"""
Problems from every source, each logged once when it appears and once when it is gone.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ingress.problem import Problem, printable

MAX_LINE: Final = 1000
"""Characters of a line; paths and names come from whoever wrote the manifests."""

LINES_PER_TURN: Final = 20
"""
Lines written before others get their turn. Ten thousand broken objects at once
are ten thousand lines, at some 50 µs each for Twisted's log file.
"""

Grouped = Mapping[Any, tuple[Problem, ...]]
"""
Problems by what they belong to. A tuple that is the same object as in the report
before is not looked at again.
"""


class ProblemLog:
    """
    What is wrong at the moment, and the log of how that changes.

    :param clock: for the turns in which many lines are written.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._reports: dict[str, Grouped] = {}
        self._counts: Counter[Problem] = Counter()
        self._unwritten: deque[tuple[Problem, bool]] = deque()
        self._turn: IDelayedCall | None = None

    def __repr__(self) -> str:
        return f"<ProblemLog: {len(self._counts)}>"

    def __len__(self) -> int:
        """How many Problems there are now."""
        return len(self._counts)

    def __iter__(self) -> Iterator[Problem]:
        """Every Problem that there is now, once."""
        return iter(tuple(self._counts))

    def report(self, source: str, problems: Grouped) -> None:
        """
        All Problems that a source has now, in place of those it had before.

        One that another source or another group has as well is gone only when
        nobody has it any more.

        :param source: who reports, such as ``files``.
        """
        before = self._reports.get(source, {})
        self._reports[source] = problems
        touched: dict[Problem, bool] = {}
        for group, those in problems.items():
            if those is not before.get(group):
                self._count(those, 1, touched)
        for group, those in before.items():
            if those is not problems.get(group):
                self._count(those, -1, touched)
        for problem, was_there in touched.items():
            is_there = problem in self._counts
            if is_there != was_there:
                self._unwritten.append((problem, is_there))
        if self._turn is None:
            self._write()

    def flush(self) -> None:
        """Write at once what waits for its turn, as at the end of the process."""
        while self._unwritten:
            self._write_one()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _count(
        self, problems: tuple[Problem, ...], step: int, touched: dict[Problem, bool]
    ) -> None:
        """:param touched: whether each Problem was there before this report."""
        for problem in problems:
            touched.setdefault(problem, problem in self._counts)
            self._counts[problem] += step
            if not self._counts[problem]:
                del self._counts[problem]

    def _write(self) -> None:
        self._turn = None
        for _ in range(min(LINES_PER_TURN, len(self._unwritten))):
            self._write_one()
        if self._unwritten:
            self._turn = self._clock.callLater(0, self._write)

    def _write_one(self) -> None:
        problem, is_there = self._unwritten.popleft()
        line = printable(str(problem)[:MAX_LINE])
        if is_there:
            self.log.warn("{problem}", problem=line)
        else:
            self.log.info("gone: {problem}", problem=line)
