"""
Tests for `ingress.problem_log`.
"""

from __future__ import annotations

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ingress.problem import Origin, Problem
from ingress.problem_log import LINES_PER_TURN, MAX_LINE, ProblemLog
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


class ProblemLogTests(SynchronousTestCase):
    """Problems are logged when they appear and when they are gone."""

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
