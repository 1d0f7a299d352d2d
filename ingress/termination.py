"""
How the process ends: the first SIGTERM (or ^C) drains, the second cuts short.

Twisted's own handlers end the process with the signal's status (143), and
handlers that are set before the reactor runs are overwritten by it; so ours are
set as soon as it runs, and the process ends as one that did what it was told.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.logger import Logger

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Termination:
    """
    Takes the signals that end the process.

    :param reactor: stopped at the first signal; its shutdown triggers drain.
    :param cut_short: called at the second.
    """

    log = Logger()

    def __init__(self, reactor: Any, cut_short: Callable[[], None]) -> None:
        self._reactor = reactor
        self._cut_short = cut_short
        self._is_stopping = False

    def install(self) -> None:
        """Once the reactor runs, which is when it has set its own handlers."""
        self._reactor.callWhenRunning(self._set_handlers)

    def _set_handlers(self) -> None:
        for number in SIGNALS:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # Python code may be interrupted anywhere: the reactor does the rest in its turn.
        self._reactor.callFromThread(self.terminate, signal.Signals(number).name)

    def terminate(self, why: str) -> None:
        """
        :param why: for the log, such as a signal's name.
        """
        if self._is_stopping:
            self.log.warn("{why} again: what is under way is cut short", why=why)
            self._cut_short()
            return
        self._is_stopping = True
        self.log.info("{why}: draining", why=why)
        self._reactor.stop()
