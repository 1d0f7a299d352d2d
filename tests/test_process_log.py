"""
Tests for `ingress.process_log`.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.logger import Logger, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ingress.process_log import PROCESS_LOG, ProcessLog


class TakeOverTests(SynchronousTestCase):
    """Where twistd would log to a file, the file is ours."""

    def factory(self, **options: object) -> object:
        """What twistd finds as its ``--logger``."""
        ProcessLog().take_over(options)
        return options.get("logger")

    def test_file(self) -> None:
        """A file that is named, and the one of a daemon that names none."""
        name = "ingress.process_log.PROCESS_LOG.open"
        self.assertEqual(self.factory(logfile="some.log", nodaemon=1), name)
        self.assertEqual(self.factory(logfile="some.log"), name)
        self.assertEqual(self.factory(logfile=None), name)
        self.assertTrue(callable(PROCESS_LOG.open))

    def test_no_file(self) -> None:
        """Standard output, syslog and what somebody else made are left alone."""
        self.assertIsNone(self.factory(nodaemon=1))
        self.assertIsNone(self.factory(debug=True))
        self.assertIsNone(self.factory(logfile="-", nodaemon=1))
        self.assertIsNone(self.factory(logfile="some.log", syslog=1))
        self.assertEqual(self.factory(logger="some.other", logfile="some.log"), "some.other")


class ReopenTests(SynchronousTestCase):
    """A file that is moved away gets a successor."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "process.log"
        self.process_log = ProcessLog()
        self.process_log.take_over({"logfile": str(self.path)})
        self.log = Logger(observer=self.process_log.open())

    def test_reopen(self) -> None:
        """What was moved away stays as it is, and what comes from then on is in a new file."""
        self.log.info("before")
        moved = self.folder / "moved.log"
        self.path.rename(moved)
        self.log.info("meanwhile")
        self.process_log.reopen()
        self.log.info("after")
        self.assertIn("meanwhile", moved.read_text())
        self.assertNotIn("after", moved.read_text())
        self.assertIn("after", self.path.read_text())

    def test_same_file(self) -> None:
        """A file that is still there is written on."""
        self.log.info("before")
        self.process_log.reopen()
        self.log.info("after")
        self.assertEqual(len(self.path.read_text().splitlines()), 2)

    def test_cannot(self) -> None:
        """One that cannot be opened again costs nothing of the log."""
        moved = self.folder / "moved.log"
        self.path.rename(moved)
        os.mkdir(self.path)
        with capturedLogs() as events:
            self.process_log.reopen()
        self.assertEqual(
            [formatEvent(event) for event in events],
            [
                f"{self.path.absolute()} cannot be opened again, the old file is kept: "
                "Is a directory"
            ],
        )
        self.log.info("after")
        self.assertIn("after", moved.read_text())

    def test_not_ours(self) -> None:
        """Where there is no file of ours there is nothing to do."""
        ProcessLog().reopen()
