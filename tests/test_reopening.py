"""
Tests for `ingress.reopening`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from ingress.reopening import Handler, Reopening


class ReopeningTests(SynchronousTestCase):
    """What SIGUSR1 does."""

    def setUp(self) -> None:
        self.turns: list[Callable[[], None]] = []
        self.handlers: dict[signal.Signals, Handler] = {}
        self.events: list[str] = []

    def start(self, *files: Callable[[], None]) -> None:
        reopening = Reopening(self, files, set_handler=self.handlers.__setitem__)
        reopening.startService()

    def callFromThread(self, function: Callable[[], None]) -> None:
        """IReactorFromThreads."""
        self.turns.append(function)

    def signal(self) -> None:
        self.handlers[signal.SIGUSR1](signal.SIGUSR1, None)

    def test_in_turn(self) -> None:
        """Files are opened in the reactor's turn, one after the other."""
        self.start(lambda: self.events.append("one"), lambda: self.events.append("two"))
        self.signal()
        self.assertEqual(self.events, [])
        for turn in self.turns:
            turn()
        self.assertEqual(self.events, ["one", "two"])

    def test_fault(self) -> None:
        """What goes wrong with one is logged, and the next is opened all the same."""
        self.start(lambda: [][1], lambda: self.events.append("two"))
        self.signal()
        for turn in self.turns:
            turn()
        self.assertEqual(self.events, ["two"])
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 1)
