"""
SIGUSR1 reopens every log file; SIGHUP does so too, and reads the configuration again.

A log rotator moves the files and sends one of them; SIGHUP is what people and service
managers send to have a configuration applied.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger

Handler = Callable[[int, FrameType | None], None]


class Reopening(Service):
    """
    Handles both signals.

    :param reactor: an `IReactorFromThreads`.
    :param files: functions that reopen one file each.
    :param reread: reads the configuration again.
    :param set_handler: `signal.signal`.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        files: Sequence[Callable[[], None]],
        reread: Callable[[], None],
        *,
        set_handler: Callable[[signal.Signals, Handler], object] = signal.signal,
    ) -> None:
        self._reactor = reactor
        self._files = tuple(files)
        self._reread = reread
        self._set_handler = set_handler

    def startService(self) -> None:
        """IService. Set the handlers at once: without one the signal ends the process."""
        super().startService()  # type: ignore[no-untyped-call]
        for number in (signal.SIGUSR1, signal.SIGHUP):
            self._set_handler(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # A signal interrupts Python code anywhere; the reactor does the rest in its turn.
        self._reactor.callFromThread(self._reopen, number)

    def _reopen(self, number: int) -> None:
        for reopen in self._files:
            try:
                reopen()
            except Exception:
                self.log.failure("A log file cannot be reopened")
        if number == signal.SIGHUP:
            self.log.info("SIGHUP: the log files are reopened, the configuration is read again")
            self._reread()
        else:
            self.log.info("SIGUSR1: the log files are reopened")
