"""
Tests for `ingress.worker.fork_server`: processes, in a process of their own.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache

from twisted.trial.unittest import SynchronousTestCase

from ingress.worker.fork_server import Report, WorkerEvent
from tests.support.process import CHECKOUT, ENVIRONMENT, PATIENCE


class ReportTests(SynchronousTestCase):
    """What the fork server reports is a record."""

    def test_round_trip(self) -> None:
        """A report comes out as it went in."""
        report = Report(WorkerEvent.ENDED, 3, 4711, -9)
        self.assertEqual(Report.unpack(report.pack()), report)


@cache
def run_program() -> dict[str, str]:
    """How each check of `fork_program` ended: this process has threads, and is not to be forked."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.worker.fork_program"],
        cwd=CHECKOUT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
        check=False,
    )
    pairs = (line.partition(" ") for line in done.stdout.splitlines())
    return {name: ending for name, _, ending in pairs}


class ForkServerTests(SynchronousTestCase):
    """Orders, and what comes of them; each test has a function of its name in `fork_program`."""

    def check(self, name: str) -> None:
        self.assertEqual(run_program().get(name), "good")

    def test_life(self) -> None:
        """A worker is forked, has its number, its socket and its listener, and ends with its status."""
        self.check("life")

    def test_kill(self) -> None:
        """A worker that is to be killed is, and one that has ended already is nobody else."""
        self.check("kill")

    def test_ping(self) -> None:
        """The fork server answers that it is alive as often as it is asked."""
        self.check("ping")

    def test_fault(self) -> None:
        """What a worker raises is its own end with status 1, and nobody else's."""
        self.check("fault")

    def test_same_listener(self) -> None:
        """What waits in the queue of one that died is there for its successor."""
        self.check("same_listener")

    def test_closed_listeners(self) -> None:
        """After CLOSE nobody can connect, and nobody is forked."""
        self.check("closed_listeners")

    def test_signals(self) -> None:
        """Signals for the whole group are no business of a worker, nor of the fork server."""
        self.check("signals")

    def test_orphans(self) -> None:
        """When the control plane is gone the fork server ends, and workers hear of it."""
        self.check("orphans")

    def test_descriptors(self) -> None:
        """A worker has none of the descriptors that were open, but for its own."""
        self.check("descriptors")

    def test_no_descriptors(self) -> None:
        """Where there is no descriptor for a worker's socket that is reported, and it goes on."""
        self.check("no_descriptors")
