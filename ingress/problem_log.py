"""
Problems from every source, each logged once when it appears and once when it is gone.

::

    report ─► compare with the report before ─► locate what appeared ─► write

in turns, because ten thousand objects may turn bad at once.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.problem import Origin, Problem, coded, printable
from ingress.steps import STRIDE, Steps
from ingress.token_bucket import TokenBucket

MAX_LINE: Final = 1000
"""Characters of a line; paths and names come from the authors of manifests."""

LINES_PER_TURN: Final = 20
"""
Lines written in one turn of the reactor. Ten thousand broken objects are ten thousand
lines, of some 50 µs each.
"""

LOCATED_AT_ONCE: Final = 500
"""Problems whose lines are looked up together, with one reading of each file."""

LINE_BURST: Final = 1000
"""Lines that may follow each other at once; more are not read by anybody."""

LINE_RATE: Final = 10
"""Lines a second after a burst: a stream of faulty changes must not fill a disk."""

SUMMARY_DELAY: Final = 10.0
"""Seconds from the first line that is left out to the line that counts them."""

STEPS_PER_TURN: Final = 4
"""Steps of comparing in one turn of the reactor: a millisecond or two."""

_END: Final = object()

Grouped = Mapping[Any, tuple[Problem, ...]]
"""
Problems, grouped by what they belong to. A tuple that is identical to the one in the
previous report is skipped.
"""

Locate = Callable[[Sequence[Problem]], "Deferred[list[Problem]]"]
"""Gives each Problem its present place."""


Listener = Callable[[Problem, bool], None]
"""Takes a Problem that appeared (True) or is gone (False), as its source reported it."""


class _Change(NamedTuple):
    """A Problem that appeared or is gone."""

    problem: Problem
    is_there: bool
    is_located: bool


class Found(NamedTuple):
    """What the log knows of a present Problem."""

    since: datetime
    """When it was found first."""

    origin: Origin
    """Its place at that time, with the line of the field if it is known."""


class ProblemLog:
    """
    The present Problems, and the log of their changes.

    :param clock: schedules the turns.
    :param locate: finds the places of Problems whose source knows only where an object
        was when it was read.
    :param now: the time of day.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        locate: Locate = lambda problems: succeed(list(problems)),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._clock = clock
        self._now = now
        self._found: dict[Problem, Found] = {}
        self._locate = locate
        self._reports: dict[str, Grouped] = {}
        self._counts: Counter[Problem] = Counter()
        self._comparing: deque[Steps[None]] = deque()
        self._unlocated: deque[_Change] = deque()
        self._locating: tuple[_Change, ...] = ()
        self._unwritten: deque[tuple[_Change, Problem]] = deque()
        self._lines: dict[Problem, str] = {}
        """The lines as written; the line about its end repeats the words."""

        self._line_bucket = TokenBucket(LINE_RATE, LINE_BURST)
        self._left_out = 0
        self._summary: IDelayedCall | None = None
        self._latest: dict[str, Grouped] = {}
        """The last report of each source, compared or not."""

        self._listeners: list[Listener] = []
        self._turn: IDelayedCall | None = None
        self._is_in_turn = False

    def __repr__(self) -> str:
        return f"<ProblemLog: {len(self._counts)}>"

    def __len__(self) -> int:
        """The number of present Problems, as far as reports have been compared."""
        return len(self._counts)

    def count_reported(self) -> int:
        """The number of Problems in the last reports, whether they have been compared or not."""
        groups = (group for report in self._latest.values() for group in report.values())
        return len({problem for group in groups for problem in group})

    def notes(self) -> Iterator[str]:
        """A line for the readiness page if there are Problems."""
        count = self.count_reported()
        if count:
            yield f"{count} Problems of objects: /snapshot has them, and the log"

    def __iter__(self) -> Iterator[Problem]:
        """Every present Problem, once."""
        return iter(tuple(self._counts))

    def __contains__(self, problem: Problem) -> bool:
        """Whether the Problem is present."""
        return problem in self._counts

    def found(self, problem: Problem) -> Found | None:
        """:return: what is known of a present Problem; None before its line is written."""
        return self._found.get(problem)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """
        Call `listener` with each Problem whose line is written from now on.

        :return: call it to end the subscription.
        """
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def report(self, source: str, problems: Grouped, *, is_located: bool = False) -> None:
        """
        Replace the Problems of a source.

        A Problem of several sources or groups is gone when the last of them drops it.

        :param source: the name of the source, such as ``files``.
        :param is_located: whether the lines of the Problems are up to date.
        """
        self._latest[source] = problems
        self._comparing.append(self._compare(source, problems, is_located))
        if self._turn is None:
            self._take_turn()

    def flush(self) -> None:
        """Write everything that waits for its turn, as at the end of the process."""
        for comparing in self._comparing:
            for _ in comparing:
                pass
        self._comparing.clear()
        for change in (*self._locating, *self._unlocated):
            self._unwritten.append((change, change.problem))
        self._locating = ()
        self._unlocated.clear()
        while self._unwritten:
            self._write_one()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        if self._summary is not None:
            self._summary.cancel()
            self._summarize()

    def _take_turn(self) -> None:
        """Do a part of the pending work."""
        self._turn = None
        self._is_in_turn = True
        for _ in range(STEPS_PER_TURN):
            if self._comparing and next(self._comparing[0], _END) is _END:
                self._comparing.popleft()
        if self._unlocated and not self._locating:
            self._begin_locating()
        for _ in range(min(LINES_PER_TURN, len(self._unwritten))):
            self._write_one()
        self._is_in_turn = False
        self._go_on()

    def _go_on(self) -> None:
        """Schedule another turn if work is pending."""
        can_locate = self._unlocated and not self._locating
        is_due = self._comparing or can_locate or self._unwritten
        if is_due and self._turn is None and not self._is_in_turn:
            self._turn = self._clock.callLater(0, self._take_turn)

    # Comparing.

    def _compare(self, source: str, problems: Grouped, is_located: bool) -> Steps[None]:
        before = self._reports.get(source, {})
        self._reports[source] = problems
        touched: dict[Problem, bool] = {}
        for count, (problem, step) in enumerate(_differences(before, problems)):
            touched.setdefault(problem, problem in self._counts)
            self._counts[problem] += step
            if not self._counts[problem]:
                del self._counts[problem]
            if count % STRIDE == STRIDE - 1:
                yield
        for count, (problem, was_there) in enumerate(touched.items()):
            is_there = problem in self._counts
            if is_there != was_there:
                self._unlocated.append(_Change(problem, is_there, is_located))
            if count % STRIDE == STRIDE - 1:
                yield

    # Locating.

    def _begin_locating(self) -> None:
        count = min(LOCATED_AT_ONCE, len(self._unlocated))
        self._locating = changes = tuple(self._unlocated.popleft() for _ in range(count))
        wanted = [each.problem for each in changes if each.is_there and not each.is_located]
        located = self._locate(wanted) if wanted else succeed([])
        located.addErrback(self._cannot_locate, wanted)
        located.addCallback(self._located, changes)

    def _cannot_locate(self, failure: Failure, wanted: list[Problem]) -> list[Problem]:
        self.log.failure("The lines of Problems cannot be found", failure)
        return wanted

    def _located(self, problems: list[Problem], changes: tuple[_Change, ...]) -> None:
        if self._locating is not changes:
            return  # flushed meanwhile
        self._locating = ()
        places = iter(problems)
        for change in changes:
            is_plain = change.is_located or not change.is_there
            self._unwritten.append((change, change.problem if is_plain else next(places)))
        self._go_on()

    # Writing.

    def _write_one(self) -> None:
        change, located = self._unwritten.popleft()
        line = None if change.is_there else self._lines.pop(change.problem, None)
        if change.is_there:
            self._found[change.problem] = Found(self._now(), located.origin)
        else:
            self._found.pop(change.problem, None)
        if (change.is_there or line is not None) and not self._may_write():
            self._leave_out()
        elif change.is_there:
            line = self._lines[change.problem] = printable(coded(located)[:MAX_LINE])
            self.log.warn("{problem}", problem=line)
        elif line is not None:
            self.log.info("gone: {problem}", problem=line)
        for listener in tuple(self._listeners):
            listener(change.problem, change.is_there)

    # Bounding.

    def _may_write(self) -> bool:
        return self._line_bucket.take(self._clock.seconds()) == 0

    def _leave_out(self) -> None:
        self._left_out += 1
        if self._summary is None:
            self._summary = self._clock.callLater(SUMMARY_DELAY, self._summarize)

    def _summarize(self) -> None:
        self._summary = None
        count, self._left_out = self._left_out, 0
        self.log.warn(
            "Left out {count} lines about Problems, because there were too many: "
            "/snapshot of the admin listener has every Problem",
            count=count,
        )


def _differences(before: Grouped, after: Grouped) -> Iterator[tuple[Problem, int]]:
    """Each Problem that was added or removed, with what to add to its count."""
    for group, those in after.items():
        if those is not before.get(group):
            yield from ((problem, 1) for problem in those)
    for group, those in before.items():
        if those is not after.get(group):
            yield from ((problem, -1) for problem in those)
