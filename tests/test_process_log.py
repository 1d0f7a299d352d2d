"""
Tests for `ingress.process_log`.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from twisted.logger import Logger, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import ProcessLogSettings
from ingress.process_log import PROCESS_LOG, ProcessLog


class TakeOverTests(SynchronousTestCase):
    """twistd asks for our observer, unless its options name another one."""

    def factory(self, **options: object) -> object:
        """What twistd finds as its ``--logger``."""
        ProcessLog().take_over(options, ProcessLogSettings())
        return options.get("logger")

    def test_file(self) -> None:
        """Files are ours, also the one of a daemon without --logfile."""
        name = "ingress.process_log.PROCESS_LOG.open"
        self.assertEqual(self.factory(logfile="some.log", nodaemon=1), name)
        self.assertEqual(self.factory(logfile="some.log"), name)
        self.assertEqual(self.factory(logfile=None), name)
        self.assertTrue(callable(PROCESS_LOG.open))

    def test_other(self) -> None:
        """Syslog and the observer of somebody else are left alone."""
        self.assertIsNone(self.factory(logfile="some.log", syslog=1))
        # twistd refuses it: a daemon has no standard output.
        self.assertIsNone(self.factory(logfile="-"))
        self.assertEqual(self.factory(logger="some.other", logfile="some.log"), "some.other")


class StreamTests(SynchronousTestCase):
    """Without a file the log goes to a stream."""

    def written(self, **options: object) -> tuple[str, str]:
        """What is on standard output and standard error after a line."""
        with redirect_stdout(StringIO()) as output, redirect_stderr(StringIO()) as errors:
            process_log = ProcessLog()
            process_log.take_over(options, ProcessLogSettings())
            Logger(observer=process_log.open()).info("a line")
        return output.getvalue(), errors.getvalue()

    def test_standard_error(self) -> None:
        """In the foreground it is standard error, because standard output has the access log."""
        for options in ({"nodaemon": 1}, {"debug": True}):
            output, errors = self.written(**options)
            self.assertEqual(output, "")
            self.assertIn("#info] a line\n", errors)

    def test_standard_output(self) -> None:
        """It is standard output if twistd is asked for it."""
        output, errors = self.written(nodaemon=1, logfile="-")
        self.assertIn("#info] a line\n", output)
        self.assertEqual(errors, "")


class SettingsTests(SynchronousTestCase):
    """The format and the level of ``log`` in the configuration."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.process_log = ProcessLog()
        self.process_log.take_over({"logfile": str(self.path)}, ProcessLogSettings())
        self.log = Logger(observer=self.process_log.open(), namespace="a.module")

    def test_level(self) -> None:
        """Events below the level are left out, from the moment that it changes."""
        self.log.debug("first")
        self.process_log.configure(ProcessLogSettings(level="warn"))
        self.log.info("second")
        self.log.warn("third")
        self.process_log.configure(ProcessLogSettings(level="debug"))
        self.log.debug("fourth")
        lines = self.path.read_text().splitlines()
        self.assertEqual([line.split()[-1] for line in lines], ["third", "fourth"])

    def test_json(self) -> None:
        """Each event is an object in one line, with its text whole."""
        self.process_log.configure(ProcessLogSettings(format="json"))
        self.log.warn("two\n{what}", what="lines")
        line = json.loads(self.path.read_text())
        time = datetime.fromisoformat(line.pop("time"))
        self.assertLess(abs((datetime.now(UTC) - time).total_seconds()), 60)
        self.assertEqual(line, {"level": "warn", "logger": "a.module", "message": "two\nlines"})

    def test_json_of_worker(self) -> None:
        """An event of a worker has its number."""
        self.process_log.configure(ProcessLogSettings(format="json"))
        self.log.info("x", worker=2)
        self.assertEqual(json.loads(self.path.read_text())["worker"], 2)

    def test_json_traceback(self) -> None:
        """A failure has its traceback in the same line."""
        self.process_log.configure(ProcessLogSettings(format="json"))
        self.log.failure("a bug", Failure(ZeroDivisionError("of a test")))
        (text,) = self.path.read_text().splitlines()
        line = json.loads(text)
        self.assertEqual((line["level"], line["message"]), ("critical", "a bug"))
        self.assertIn("ZeroDivisionError: of a test", line["traceback"])

    def test_mode(self) -> None:
        """The group may read the file, others may not, whatever the umask of a daemon is."""
        before = os.umask(0o077)
        self.addCleanup(os.umask, before)
        self.path.unlink()
        self.process_log.reopen()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o640)

    def test_mode_of_existing_file(self) -> None:
        """A file that exists keeps its mode, and so does its successor."""
        path = Path(self.mktemp())
        path.touch()
        path.chmod(0o600)
        process_log = ProcessLog()
        process_log.take_over({"logfile": str(path)}, ProcessLogSettings())
        process_log.open()
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        path.rename(path.with_suffix(".1"))
        process_log.reopen()
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)


class ReopenTests(SynchronousTestCase):
    """A file that is moved away gets a successor."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "process.log"
        self.process_log = ProcessLog()
        self.process_log.take_over({"logfile": str(self.path)}, ProcessLogSettings())
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
