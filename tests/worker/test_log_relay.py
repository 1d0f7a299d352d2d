"""
Tests for `ingress.worker.log_relay`.
"""

from __future__ import annotations

from twisted.logger import LogEvent, Logger, LogLevel, formatEvent, formatEventAsClassicLogText
from twisted.trial.unittest import SynchronousTestCase

from ingress.worker.log_relay import LogRelay, republish
from ingress.worker.message import Kind


class Thing:
    """Something that JSON does not know."""

    name = "a thing"


class LogRelayTests(SynchronousTestCase):
    """What is logged in one process is logged in another."""

    def setUp(self) -> None:
        self.wakes = 0
        self.relay = LogRelay(max_waiting=3)
        self.relay.wake = self.wake
        # The relay's own log as well, as in a worker.
        self.relay.log = Logger("relay", observer=self.relay)
        self.log = Logger("ingress.somewhere", observer=self.relay)
        self.events: list[LogEvent] = []

    def wake(self) -> None:
        self.wakes += 1

    def carry(self) -> list[str]:
        """Bring all over; return its texts."""
        self.events = []
        while (message := self.relay.take()) is not None:
            kind, content = message
            self.assertEqual(kind, Kind.LOG)
            republish(content, 2, self.events.append)
        return [formatEvent(event) for event in self.events]

    def test_text(self) -> None:
        """The text, the level, the time and the place are the same; the worker is told."""
        self.log.warn("{thing.name} of {count}", thing=Thing(), count=5)
        self.assertEqual(self.wakes, 1)
        self.assertEqual(self.carry(), ["a thing of 5"])
        (event,) = self.events
        self.assertIs(event["log_level"], LogLevel.warn)
        self.assertEqual((event["log_namespace"], event["worker"]), ("ingress.somewhere", 2))
        line = formatEventAsClassicLogText(event, formatTime=str)
        self.assertEqual(
            line, f"{event['log_time']} [ingress.somewhere#warn, worker 2] a thing of 5\n"
        )

    def test_failure(self) -> None:
        """A traceback comes over, with what the exception says."""
        try:
            raise ValueError("the reason")
        except ValueError:
            self.log.failure("Something is wrong")
        self.carry()
        text = formatEventAsClassicLogText(self.events[0])
        assert text is not None
        self.assertIn("Something is wrong", text)
        self.assertIn("test_log_relay.py", text)
        self.assertIn("ValueError: the reason", text)

    def test_bounded(self) -> None:
        """What nobody takes is lost in the end, and counted."""
        for number in range(5):
            self.log.info("{number}", number=number)
        self.assertEqual(
            self.carry(),
            ["0", "1", "2", "Lost lines of the log, because they were too many: 2"],
        )
        self.log.info("after it")
        self.assertEqual(self.carry(), ["after it"])

    def test_strange(self) -> None:
        """Text that is no good Unicode comes over somehow."""
        self.log.info("{text}", text="\ud800 é")
        (text,) = self.carry()
        self.assertIn("é", text)
