"""
Tests for `ingress.command.wait_command`; tests/e2e/test_controller_flags.py has its success.
"""

from __future__ import annotations

import os
from argparse import Namespace

from twisted.trial.unittest import SynchronousTestCase

from ingress.command.failure import CannotRun
from ingress.command.wait_command import run


class RunTests(SynchronousTestCase):
    def test_others(self) -> None:
        """A process that is another program, or is not there, gets no signal."""
        for pid in (os.getpid(), 1 << 22):
            error = self.assertRaises(CannotRun, run, Namespace(pid=pid))
            self.assertIn("is not txingress", str(error))
