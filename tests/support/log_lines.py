"""
The lines of one logger while a test runs.
"""

from __future__ import annotations

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer


@implementer(ILogObserver)
class LogLines:
    """
    Keeps the events above the debug level.

    :param namespace: the namespace of the logger: its module and class.
    """

    def __init__(self, test: SynchronousTestCase, namespace: str) -> None:
        self._namespace = namespace
        self._lines: list[str] = []
        globalLogPublisher.addObserver(self)
        test.addCleanup(globalLogPublisher.removeObserver, self)

    def __call__(self, event: LogEvent) -> None:
        is_debug = event["log_level"] is LogLevel.debug
        if event.get("log_namespace") == self._namespace and not is_debug:
            self._lines.append(formatEvent(event))

    def take(self) -> list[str]:
        """Return the lines since the last call."""
        lines, self._lines = self._lines, []
        return lines
