"""
Tests for `ingress.problem_log`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twisted.internet.defer import Deferred, succeed
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ingress.problem import Origin, Problem
from ingress.problem_log import (
    LINE_BURST,
    LINE_RATE,
    LINES_PER_TURN,
    MAX_LINE,
    SUMMARY_DELAY,
    Locate,
    ProblemLog,
)
from tests.support.turn_clock import TurnClock

PORT = Problem("no such port", "Ingress", "default", "web", "spec.rules[0]", "http", Origin("a", 3))
HOST = Problem("not a host name", "Ingress", "default", "api")
FILE = Problem("is not YAML", origin=Origin("b", 1))


@implementer(ILogObserver)
class Observer:
    """Keeps the events of the log under test."""

    def __init__(self, events: list[LogEvent]) -> None:
        self._events = events

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_namespace") == "ingress.problem_log.ProblemLog":
            self._events.append(event)


class LogTestCase(SynchronousTestCase):
    """A ProblemLog, and what it writes."""

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.problems = ProblemLog(self.clock)
        self.events: list[LogEvent] = []
        observer = Observer(self.events)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def lines(self) -> list[str]:
        """What was logged since the last call."""
        lines = [formatEvent(event) for event in self.events]
        self.events.clear()
        return lines


class ProblemLogTests(LogTestCase):
    """Problems are logged when they appear and when they are gone."""

    def test_appears(self) -> None:
        """A Problem that is new is one line, a warning, at once."""
        self.problems.report("build", {"web": (PORT,)})
        self.assertEqual([event["log_level"] for event in self.events], [LogLevel.warn])
        self.assertEqual(
            self.lines(),
            ["a, line 3: Ingress default/web: spec.rules[0]: http: no such port"],
        )

    def test_stays(self) -> None:
        """One that stays is not told again, whether its tuple is another or not."""
        group = (PORT,)
        self.problems.report("build", {"web": group})
        self.lines()
        self.problems.report("build", {"web": group})
        self.problems.report("build", {"web": (PORT,)})
        self.problems.report("build", {"other": (PORT,)})
        self.assertEqual(self.lines(), [])
        self.assertEqual(list(self.problems), [PORT])
        self.assertIn(PORT, self.problems)
        self.assertNotIn(HOST, self.problems)

    def test_gone(self) -> None:
        """One that is gone is one line more, and is a new one when it comes back."""
        self.problems.report("build", {"web": (PORT, HOST)})
        self.lines()
        self.problems.report("build", {"web": (HOST,)})
        self.assertEqual(self.lines(), [f"gone: {PORT}"])
        self.problems.report("build", {})
        self.assertEqual(self.lines(), [f"gone: {HOST}"])
        self.problems.report("build", {"web": (PORT,)})
        self.assertEqual(self.lines(), [str(PORT)])

    def test_sources(self) -> None:
        """Each source reports for itself; a Problem of two is gone when both are without it."""
        self.problems.report("files", {"b": (FILE,)})
        self.problems.report("build", {"b": (FILE,), "web": (PORT,)})
        self.assertEqual(self.lines(), [str(FILE), str(PORT)])
        self.problems.report("files", {})
        self.assertEqual(self.lines(), [])
        self.problems.report("build", {})
        self.assertEqual(sorted(self.lines()), sorted([f"gone: {FILE}", f"gone: {PORT}"]))
        self.assertEqual(len(self.problems), 0)

    def test_subscribe(self) -> None:
        """Who subscribes is told what each line is about, as its source reported it."""
        told: list[tuple[Problem, bool]] = []
        unsubscribe = self.problems.subscribe(lambda *change: told.append(change))
        self.problems.report("build", {"web": (PORT, HOST)})
        self.problems.report("build", {"web": (HOST,)})
        self.clock.advance(0)
        self.assertEqual(told, [(PORT, True), (HOST, True), (PORT, False)])
        unsubscribe()
        unsubscribe()
        self.problems.report("build", {})
        self.clock.advance(0)
        self.assertEqual(len(told), 3)

    def test_hostile(self) -> None:
        """Whatever a manifest has, a Problem is one line of limited length."""
        self.problems.report("build", {"x": (Problem("bad", "Ingress", "a\nb", "\x1b[2J" * 999),)})
        (line,) = self.lines()
        self.assertTrue(line.isprintable())
        self.assertIn("a\\nb", line)
        self.assertLess(len(line), 5 * MAX_LINE)

    def test_braces(self) -> None:
        """Braces are text, not fields of a format."""
        problem = Problem("bad {name} {0.__class__}")
        self.problems.report("build", {"x": (problem,)})
        self.assertEqual(self.lines(), [str(problem)])

    def test_many(self) -> None:
        """Many at once are written in turns, in order, and none is lost."""
        many = [Problem(f"number {number}") for number in range(3 * LINES_PER_TURN)]
        self.problems.report("build", {number: (one,) for number, one in enumerate(many)})
        self.assertEqual(len(self.lines()), LINES_PER_TURN)
        self.problems.report("build", {})
        self.assertEqual(self.lines(), [])
        self.clock.advance(0)
        self.assertEqual(
            self.lines(), [str(one) for one in many[LINES_PER_TURN : 2 * LINES_PER_TURN]]
        )
        self.problems.flush()
        self.assertEqual(len(self.lines()), 4 * LINES_PER_TURN)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class BoundTests(LogTestCase):
    """A stream of Problems does not fill the disk."""

    def report(self, count: int) -> None:
        many = [Problem(f"number {number}") for number in range(count)]
        self.problems.report("build", {number: (one,) for number, one in enumerate(many)})

    def settle(self) -> None:
        """Let it write what waits."""
        self.clock.pump([0] * 1000)

    def test_burst(self) -> None:
        """Lines beyond a burst are left out; a line says how many they were."""
        self.report(LINE_BURST + 50)
        self.settle()
        self.assertEqual(len(self.lines()), LINE_BURST)
        self.clock.advance(SUMMARY_DELAY)
        (line,) = self.lines()
        self.assertIn("Left out 50 lines about Problems", line)
        self.assertEqual(len(self.problems), LINE_BURST + 50)

    def test_rate(self) -> None:
        """After a burst lines come at a steady rate."""
        self.report(LINE_BURST)
        self.settle()
        self.lines()
        for _ in range(20):
            self.clock.advance(1)
            self.problems.report("other", {"x": (Problem(f"at {self.clock.seconds()}"),)})
            self.settle()
        self.assertEqual(len(self.lines()), 39)

    def test_gone(self) -> None:
        """A Problem whose line was left out is gone without a line."""
        self.report(LINE_BURST + 50)
        self.settle()
        self.clock.advance(LINE_BURST / LINE_RATE * 2)
        self.lines()
        self.report(LINE_BURST)
        self.settle()
        self.assertEqual(self.lines(), [])

    def test_listeners(self) -> None:
        """Who subscribes is told of every Problem."""
        told: list[Problem] = []
        self.problems.subscribe(lambda problem, is_there: told.append(problem))
        self.report(LINE_BURST + 50)
        self.settle()
        self.assertEqual(len(told), LINE_BURST + 50)

    def test_flush(self) -> None:
        """At the end the lines that were left out are counted at once."""
        self.report(LINE_BURST + 50)
        self.problems.flush()
        self.assertIn("Left out 50 lines", self.lines()[-1])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class CountTests(LogTestCase):
    def test_reported(self) -> None:
        """Reported Problems are counted at once, each of them once, those of a source anew."""
        self.problems.report("source", {"b": (FILE,)})
        many = {number: (Problem(f"number {number}"),) for number in range(5000)}
        self.problems.report("build", {**many, "b": (FILE,)})
        self.assertLess(len(self.problems), 5001)
        self.assertEqual(self.problems.count_reported(), 5001)
        self.assertEqual(
            list(self.problems.notes()),
            ["5001 Problems of objects: /snapshot has them, and the log"],
        )
        self.problems.report("build", {"web": (PORT,)})
        self.assertEqual(self.problems.count_reported(), 2)
        self.problems.report("build", {})
        self.problems.report("source", {})
        self.assertEqual(list(self.problems.notes()), [])


class LocatingTests(LogTestCase):
    """The places of Problems are found before they are written; all else is as without that."""

    def setUp(self) -> None:
        super().setUp()
        self.asked: list[Deferred[list[Problem]]] = []
        self.wanted: list[list[Problem]] = []

    def use(self, locate: Locate) -> None:
        self.problems = ProblemLog(self.clock, locate)

    def wait(self, problems: Sequence[Problem]) -> Deferred[list[Problem]]:
        self.wanted.append(list(problems))
        self.asked.append(Deferred())
        return self.asked[-1]

    def test_located(self) -> None:
        """A Problem is written with the place that was found, and gone with the same words."""
        self.use(lambda those: succeed([replace(one, origin=Origin("a", 7)) for one in those]))
        self.problems.report("build", {"web": (PORT,)})
        self.problems.report("build", {})
        told = str(PORT).replace("line 3", "line 7")
        self.assertEqual(self.lines(), [told, f"gone: {told}"])

    def test_order(self) -> None:
        """While places are looked for nothing is written, and then all in order."""
        self.use(self.wait)
        self.problems.report("build", {"web": (PORT,)})
        self.problems.report("files", {"b": (FILE,)}, is_located=True)
        self.clock.pump([0] * 5)
        self.assertEqual(self.lines(), [])
        self.assertEqual(self.wanted, [[PORT]])
        self.asked[0].callback([PORT])
        self.clock.pump([0] * 5)
        self.assertEqual(self.lines(), [str(PORT), str(FILE)])
        self.assertEqual(self.wanted, [[PORT]])

    def test_failure(self) -> None:
        """Without places, Problems are written as they are."""
        self.use(self.wait)
        self.problems.report("build", {"web": (PORT,)})
        self.asked[0].errback(OSError())
        self.clock.pump([0] * 5)
        self.assertEqual(self.lines()[1:], [str(PORT)])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_flush(self) -> None:
        """At the end nobody waits for places, and what comes late is not written again."""
        self.use(self.wait)
        self.problems.report("build", {"web": (PORT,)})
        self.problems.flush()
        self.assertEqual(self.lines(), [str(PORT)])
        self.asked[0].callback([PORT])
        self.clock.pump([0] * 5)
        self.assertEqual(self.lines(), [])
