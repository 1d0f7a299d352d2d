"""
The ports that cannot be opened: reported, and tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ingress.port_service import PortKey

FIRST_RETRY: Final = 0.2
"""Seconds until the second attempt: a port that was given up a moment ago may not be free yet."""

RETRY: Final = 5.0
"""Seconds between the attempts that follow."""

Failures = Mapping[PortKey, str]
"""Why each port that should be open is not."""


class PortFailures:
    """
    :param clock: for the time of the next attempt.
    :param again: makes it, and ends with `note`.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(self, clock: IReactorTime, again: Callable[[], None]) -> None:
        self._clock = clock
        self._again = again
        self._retry: IDelayedCall | None = None
        self.current: Failures = {}
        """Those of the last attempt."""

        self._reported: Failures = {}
        self.report: Callable[[Failures], None] = self._log_all
        """Called with all failures when they have changed; they are logged if nobody sets it."""

    def __repr__(self) -> str:
        return f"<PortFailures: {len(self.current)}>"

    def _log_all(self, failures: Failures) -> None:
        for key, reason in failures.items():
            self.log.error("{port} is not open: {reason}", port=key, reason=reason)

    def note(self, failures: Failures) -> None:
        """Take the failures of an attempt, and see to the next one."""
        before, self.current = self.current, failures
        self.stop()
        # What fails for the first time may be a port that is on its way to be closed.
        lasting = {key: reason for key, reason in failures.items() if key in before}
        if lasting != self._reported:
            self._reported = lasting
            self.report(lasting)
        if failures:
            delay = RETRY if len(lasting) == len(failures) else FIRST_RETRY
            self._retry = self._clock.callLater(delay, self._try)

    def _try(self) -> None:
        self._retry = None
        self._again()

    def stop(self) -> None:
        """Make no further attempt."""
        retry, self._retry = self._retry, None
        if retry is not None:
            retry.cancel()
