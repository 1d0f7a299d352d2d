"""
SIGUSR1: reopen every log file, because a log rotator has moved the old ones.
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
    :param reactor: an `IReactorFromThreads`.
    :param files: functions that reopen one file each.
    :param set_handler: `signal.signal`.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        files: Sequence[Callable[[], None]],
        *,
        set_handler: Callable[[signal.Signals, Handler], object] = signal.signal,
    ) -> None:
        self._reactor = reactor
        self._files = tuple(files)
        self._set_handler = set_handler

    def startService(self) -> None:
        """IService. Set the handler at once: without one the signal ends the process."""
        super().startService()  # type: ignore[no-untyped-call]
        self._set_handler(signal.SIGUSR1, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # A signal interrupts Python code anywhere; the reactor does the rest in its turn.
        self._reactor.callFromThread(self._reopen)

    def _reopen(self) -> None:
        for reopen in self._files:
            try:
                reopen()
            except Exception:
                self.log.failure("A log file cannot be reopened")
        self.log.info("SIGUSR1: the log files are reopened")
