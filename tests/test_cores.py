"""
Tests of `ingress.cores`.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from ingress.cores import usable_cores


class UsableCoresTests(SynchronousTestCase):
    """How many cores a process may use."""

    def test_affinity(self) -> None:
        """A process that is pinned to one core may use one."""
        before = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, before)
        os.sched_setaffinity(0, {min(before)})
        self.assertEqual(usable_cores(), 1)
