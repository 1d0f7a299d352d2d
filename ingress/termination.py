"""
The end of the process: the first SIGTERM (or ^C) drains, the second one cuts short.

Twisted's own handlers end the process with the signal's status (143), and the reactor
overwrites handlers that were set before it runs. Ours are therefore set once it runs, and the
process ends with status 0.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.logger import Logger

SIGNALS = (signal.SIGTERM, signal.SIGINT)

Handler = Callable[[int, FrameType | None], None]


class Termination:
    """
    Handles the signals that end the process.

    :param reactor: stopped at the first signal; its shutdown triggers drain.
    :param set_handler: `signal.signal`.
    :param at_exit: `atexit.register`.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        *,
        set_handler: Callable[[signal.Signals, Handler], object] = signal.signal,
        at_exit: Callable[[Callable[[], None]], object] = atexit.register,
    ) -> None:
        self._reactor = reactor
        self._set_handler = set_handler
        self._at_exit = at_exit
        self._cut_short: Callable[[], None] = lambda: None
        self._is_stopping = False

    def __repr__(self) -> str:
        return f"<Termination {'under way' if self._is_stopping else 'not yet'}>"

    def install(self, cut_short: Callable[[], None]) -> None:
        """
        Handle the signals once the reactor runs and has set its own handlers.

        :param cut_short: called at every signal but the first.
        """
        self._cut_short = cut_short
        self._reactor.callWhenRunning(self._set_handlers)

    def _set_handlers(self) -> None:
        for number in SIGNALS:
            self._set_handler(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # A signal interrupts Python code anywhere; the reactor does the rest in its turn.
        self._reactor.callFromThread(self.terminate, signal.Signals(number).name)

    def terminate(self, why: str) -> None:
        """
        Drain at the first call, cut short at later ones.

        :param why: the signal's name, for the log.
        """
        if self._is_stopping:
            self.log.warn("{why} again: exchanges in flight are cut", why=why)
            self._cut_short()
        else:
            self.log.info("{why}: draining", why=why)
            self._stop()

    def fail(self) -> None:
        """End the process with status 1, which twistd itself cannot do."""
        self._at_exit(_exit_with_failure)
        if not self._is_stopping:
            self._stop()

    def _stop(self) -> None:
        self._is_stopping = True
        self._reactor.stop()


def _exit_with_failure() -> None:
    """Exit at the very end, after twistd has removed its pidfile."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
