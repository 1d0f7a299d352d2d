"""
Tests for `ingress.kube.writing.retry_log`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.kube.api.refusals import PASSING_REFUSAL
from ingress.kube.writing.retry_log import MAX_LINE, MAX_REASONS, RetryLog
from tests.support.log_lines import LogLines


class RetryLogTests(SynchronousTestCase):
    """A failure is logged when it begins and when it ends."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.retries = RetryLog(Logger(namespace="retries"), self.clock)
        self.lines = LogLines(self, "retries")

    def invalid(self, message: str) -> APIError:
        return APIError(422, "Invalid", message)

    def test_passing_refusal(self) -> None:
        """Refusals that pass, as those of a server that starts, are not worth a line."""
        refusal = APIError(403, "Forbidden", "no")
        self.retries.failed("Writing", refusal, "a")
        self.clock.advance(PASSING_REFUSAL - 1)
        self.retries.failed("Writing", refusal, "b")
        self.retries.succeeded("Writing", "a")
        self.retries.succeeded("Writing", "b")
        self.assertEqual(self.lines.take(), [])

    def test_lasting_refusal(self) -> None:
        """Refusals that last are, and so is their end."""
        refusal = APIError(403, "Forbidden", "no")
        self.retries.failed("Writing", refusal)
        self.clock.advance(PASSING_REFUSAL)
        self.retries.failed("Writing", refusal)
        self.retries.succeeded("Writing")
        self.assertEqual(len(self.lines.take()), 2)

    def test_once(self) -> None:
        """One line, whatever the server says in detail about each object."""
        self.retries.failed("Writing", self.invalid("cannot patch a"))
        self.retries.failed("Writing", self.invalid("cannot patch b"))
        expected = "Writing fails, and is tried again: 422 Invalid: cannot patch a"
        self.assertEqual(self.lines.take(), [expected])

    def test_another_reason(self) -> None:
        """Another reason is another line."""
        self.retries.failed("Writing", self.invalid("no"))
        self.retries.failed("Writing", APIUnreachable("connection refused"))
        self.retries.failed("Writing", APIUnreachable("connection refused"))
        self.assertEqual(len(self.lines.take()), 2)

    def test_reasons(self) -> None:
        """Alternating reasons are logged once each, up to a limit."""
        for _ in range(3):
            for number in range(2 * MAX_REASONS):
                self.retries.failed("Writing", APIUnreachable(f"reason {number}"))
        self.assertEqual(len(self.lines.take()), MAX_REASONS)

    def test_for_many(self) -> None:
        """The line that it works again is logged once nothing is left that failed."""
        self.retries.failed("Writing", self.invalid("no"), "a")
        self.retries.failed("Writing", self.invalid("no"), "b")
        self.retries.succeeded("Writing", "c")
        self.retries.succeeded("Writing", "a")
        self.retries.failed("Writing", self.invalid("no"), "b")
        self.assertEqual(len(self.lines.take()), 1)
        self.retries.succeeded("Writing", "b")
        self.assertEqual(self.lines.take(), ["Writing works again"])

    def test_forget(self) -> None:
        """After `forget`, nothing is failing."""
        self.retries.failed("Writing", self.invalid("no"), "a")
        self.retries.forget()
        self.retries.succeeded("Writing", "a")
        self.assertEqual(len(self.lines.take()), 1)
        self.retries.failed("Writing", self.invalid("no"), "a")
        self.assertEqual(len(self.lines.take()), 1)

    def test_several(self) -> None:
        """Each activity has its own lines."""
        self.retries.failed("Writing", self.invalid("no"))
        self.retries.failed("Reading", self.invalid("no"))
        self.assertEqual(len(self.lines.take()), 2)

    def test_over(self) -> None:
        """The end is logged once, and a later failure is new."""
        self.retries.succeeded("Writing")
        self.assertEqual(self.lines.take(), [])
        self.retries.failed("Writing", self.invalid("no"))
        self.lines.take()
        self.retries.succeeded("Writing")
        self.retries.succeeded("Writing")
        self.assertEqual(self.lines.take(), ["Writing works again"])
        self.retries.failed("Writing", self.invalid("no"))
        self.assertEqual(len(self.lines.take()), 1)

    def test_one_line(self) -> None:
        """Whatever a server says is one line of limited length."""
        self.retries.failed("Writing", APIUnreachable("a\nb" * MAX_LINE))
        (line,) = self.lines.take()
        self.assertTrue(line.isprintable())
        self.assertLess(len(line), 3 * MAX_LINE)
