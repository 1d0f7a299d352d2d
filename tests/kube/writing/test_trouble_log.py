"""
Tests for `ingress.kube.writing.trouble_log`.
"""

from __future__ import annotations

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.kube.writing.trouble_log import MAX_LINE, TroubleLog
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
