"""
Tests for `ingress.termination`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ingress.termination import Handler, Termination
from tests.support.process import ENVIRONMENT, PATIENCE


class StoppableReactor:
    """What `Termination` asks of a reactor; `run` begins it, `turn` does what waits."""

    def __init__(self) -> None:
        self.stops = 0
        self._when_running: list[Callable[[], None]] = []
        self._from_thread: list[tuple[Callable[..., None], tuple[object, ...]]] = []

    def callWhenRunning(self, function: Callable[[], None]) -> None:
        self._when_running.append(function)

    def callFromThread(self, function: Callable[..., None], *arguments: object) -> None:
        self._from_thread.append((function, arguments))

    def stop(self) -> None:
        self.stops += 1

    def run(self) -> None:
        for function in self._when_running:
            function()

    def turn(self) -> None:
        waiting, self._from_thread = self._from_thread, []
        for function, arguments in waiting:
            function(*arguments)


class TerminationTests(SynchronousTestCase):
    """The signals that end the process."""

    def setUp(self) -> None:
        self.reactor = StoppableReactor()
        self.handlers: dict[signal.Signals, Handler] = {}
        self.at_exit: list[Callable[[], None]] = []
        self.cuts = 0
        self.termination = Termination(
            self.reactor,
            set_handler=self.handlers.__setitem__,
            at_exit=self.at_exit.append,
        )
        self.termination.install(self.cut)

    def cut(self) -> None:
        self.cuts += 1

    def signal(self, number: signal.Signals) -> None:
        self.handlers[number](number, None)
        self.reactor.turn()

    def test_installed_when_running(self) -> None:
        """The handlers are set once the reactor runs, not earlier: it would overwrite them."""
        self.assertEqual(self.handlers, {})
        self.reactor.run()
        self.assertEqual(set(self.handlers), {signal.SIGTERM, signal.SIGINT})

    def test_first_signal(self) -> None:
        """The first signal stops the reactor, which drains, and cuts nothing."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self.setUp()
            self.reactor.run()
            with capturedLogs() as events:
                self.signal(number)
            self.assertEqual((self.reactor.stops, self.cuts), (1, 0))
            self.assertEqual([event["why"] for event in events], [number.name])

    def test_not_within_handler(self) -> None:
        """A signal may come anywhere: what it means is done in the reactor's next turn."""
        self.reactor.run()
        self.handlers[signal.SIGTERM](signal.SIGTERM, None)
        self.assertEqual(self.reactor.stops, 0)
        self.reactor.turn()
        self.assertEqual(self.reactor.stops, 1)

    def test_second_signal(self) -> None:
        """Every further signal, of either kind, cuts short and stops nothing twice."""
        self.reactor.run()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            self.signal(number)
        self.assertEqual((self.reactor.stops, self.cuts), (1, 2))

    def test_no_failure(self) -> None:
        """Signals leave the exit status as it is."""
        self.reactor.run()
        self.signal(signal.SIGTERM)
        self.assertEqual(self.at_exit, [])

    def test_failure(self) -> None:
        """A failure stops the reactor and has something done at the exit."""
        self.termination.fail()
        self.assertEqual((self.reactor.stops, len(self.at_exit)), (1, 1))
        self.assertIn("under way", repr(self.termination))

    def test_failure_while_stopping(self) -> None:
        """A failure while it stops already stops nothing twice."""
        self.termination.terminate("SIGTERM")
        self.termination.fail()
        self.assertEqual((self.reactor.stops, len(self.at_exit)), (1, 1))

    def test_exit_status(self) -> None:
        """After a failure the exit status of the process is 1, and what it said is written."""
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from types import SimpleNamespace\n"
                "from ingress.termination import Termination\n"
                "Termination(SimpleNamespace(stop=lambda: print('stopped'))).fail()\n",
            ],
            env=ENVIRONMENT,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (1, b"stopped\n", b""))
