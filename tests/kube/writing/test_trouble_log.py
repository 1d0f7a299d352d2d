"""
Tests for `ingress.kube.writing.trouble_log`.
"""

from __future__ import annotations

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.kube.writing.trouble_log import MAX_LINE, MAX_REASONS, TroubleLog
from tests.support.log_lines import LogLines


class TroubleLogTests(SynchronousTestCase):
    """Trouble is told when it begins and when it is over."""

    def setUp(self) -> None:
        self.trouble = TroubleLog(Logger(namespace="trouble"))
        self.lines = LogLines(self, "trouble")

    def forbidden(self, message: str) -> APIError:
        return APIError(403, "Forbidden", message)

    def test_once(self) -> None:
        """One line, whatever the server says in detail about each object."""
        self.trouble.tell("Writing", self.forbidden("cannot patch a"))
        self.trouble.tell("Writing", self.forbidden("cannot patch b"))
        expected = "Writing fails, and is tried again: 403 Forbidden: cannot patch a"
        self.assertEqual(self.lines.take(), [expected])

    def test_another_reason(self) -> None:
        """Another reason is another line."""
        self.trouble.tell("Writing", self.forbidden("no"))
        self.trouble.tell("Writing", APIUnreachable("connection refused"))
        self.trouble.tell("Writing", APIUnreachable("connection refused"))
        self.assertEqual(len(self.lines.take()), 2)

    def test_reasons(self) -> None:
        """Reasons that come in turns are told once each, and not without end."""
        for _ in range(3):
            for number in range(2 * MAX_REASONS):
                self.trouble.tell("Writing", APIUnreachable(f"reason {number}"))
        self.assertEqual(len(self.lines.take()), MAX_REASONS)

    def test_for_many(self) -> None:
        """It works again when it does for all for which it did not."""
        self.trouble.tell("Writing", self.forbidden("no"), "a")
        self.trouble.tell("Writing", self.forbidden("no"), "b")
        self.trouble.over("Writing", "c")
        self.trouble.over("Writing", "a")
        self.trouble.tell("Writing", self.forbidden("no"), "b")
        self.assertEqual(len(self.lines.take()), 1)
        self.trouble.over("Writing", "b")
        self.assertEqual(self.lines.take(), ["Writing works again"])

    def test_forget(self) -> None:
        """Who tries nothing any more has no trouble, and begins anew."""
        self.trouble.tell("Writing", self.forbidden("no"), "a")
        self.trouble.forget()
        self.trouble.over("Writing", "a")
        self.assertEqual(len(self.lines.take()), 1)
        self.trouble.tell("Writing", self.forbidden("no"), "a")
        self.assertEqual(len(self.lines.take()), 1)

    def test_several(self) -> None:
        """What is done apart is told apart."""
        self.trouble.tell("Writing", self.forbidden("no"))
        self.trouble.tell("Reading", self.forbidden("no"))
        self.assertEqual(len(self.lines.take()), 2)

    def test_over(self) -> None:
        """The end is told once, and what comes then is new."""
        self.trouble.over("Writing")
        self.assertEqual(self.lines.take(), [])
        self.trouble.tell("Writing", self.forbidden("no"))
        self.lines.take()
        self.trouble.over("Writing")
        self.trouble.over("Writing")
        self.assertEqual(self.lines.take(), ["Writing works again"])
        self.trouble.tell("Writing", self.forbidden("no"))
        self.assertEqual(len(self.lines.take()), 1)

    def test_one_line(self) -> None:
        """Whatever a server says is one line of limited length."""
        self.trouble.tell("Writing", APIUnreachable("a\nb" * MAX_LINE))
        (line,) = self.lines.take()
        self.assertTrue(line.isprintable())
        self.assertLess(len(line), 3 * MAX_LINE)
