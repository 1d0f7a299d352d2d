"""
Tests for `ingress.reopening`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from ingress.reopening import Handler, Reopening


class ReopeningTests(SynchronousTestCase):
    """What SIGUSR1 and SIGHUP do."""

    def setUp(self) -> None:
        self.turns: list[tuple[Callable[[int], None], int]] = []
        self.handlers: dict[signal.Signals, Handler] = {}
        self.events: list[str] = []

    def start(self, *files: Callable[[], None]) -> None:
        reopening = Reopening(
            self,
            files,
            lambda: self.events.append("configuration"),
            set_handler=self.handlers.__setitem__,
        )
        reopening.startService()

    def callFromThread(self, function: Callable[[int], None], number: int) -> None:
        """IReactorFromThreads."""
        self.turns.append((function, number))

    def signal(self, number: signal.Signals = signal.SIGUSR1) -> None:
        self.handlers[number](number, None)

    def turn(self) -> None:
        """Let the reactor do what it was asked for."""
        for function, number in self.turns:
            function(number)

    def test_in_turn(self) -> None:
        """Files are opened in the reactor's turn, one after the other."""
        self.start(lambda: self.events.append("one"), lambda: self.events.append("two"))
        self.signal()
        self.assertEqual(self.events, [])
        self.turn()
        self.assertEqual(self.events, ["one", "two"])

    def test_hangup(self) -> None:
        """SIGHUP reopens the files as well, then reads the configuration, in the reactor's turn."""
        self.start(lambda: self.events.append("one"))
        self.signal(signal.SIGHUP)
        self.assertEqual(self.events, [])
        self.turn()
        self.assertEqual(self.events, ["one", "configuration"])

    def test_fault(self) -> None:
        """What goes wrong with one is logged, and the next is opened all the same."""
        self.start(lambda: [][1], lambda: self.events.append("two"))
        self.signal()
        self.turn()
        self.assertEqual(self.events, ["two"])
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 1)
