"""
Tests for `ingress.late`.
"""

from __future__ import annotations

import subprocess
import sys

from twisted.internet import defer
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ingress import late
from tests.support.log_lines import LogLines
from tests.support.process import CHECKOUT


class LateTests(SynchronousTestCase):
    def test_names(self) -> None:
        """Its names are those of Twisted."""
        self.assertIs(late.Deferred, defer.Deferred)
        self.assertIs(late.fail, defer.fail)
        self.assertIs(late.succeed, defer.succeed)
        self.assertIs(late.Failure, Failure)
        self.assertRaises(AttributeError, getattr, late, "Nothing")

    def test_at_first_use(self) -> None:
        """Twisted is imported when a name is used, and not before."""
        code = (
            "import sys\nfrom ingress import late\nlog = late.LateLogger('a')\n"
            "assert 'twisted' not in sys.modules\n"
            "late.succeed(None)\nassert 'twisted.internet.defer' in sys.modules\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True
        )
        self.assertEqual(done.stderr, "")

    def test_logger(self) -> None:
        """Lines, and failures with their traceback, are logged under the given namespace."""
        lines = LogLines(self, "ingress.somewhere.Class")
        log = late.LateLogger("ingress.somewhere.Class")
        log.warn("{count} times", count=3)
        log.warn("once")
        self.assertEqual(lines.take(), ["3 times", "once"])
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            log.failure("it failed")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
