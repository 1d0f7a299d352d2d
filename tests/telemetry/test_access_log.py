"""Tests of `ingress.telemetry.access_log`, with real files and a clock in the test's hand."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import AccessLog as Settings
from ingress.telemetry.access_log import (
    CLOSE_DELAY,
    FLUSH_DELAY,
    FLUSH_LINES,
    LONG_LINE,
    AccessLog,
)
from ingress.telemetry.log_line import nginx_line, nginx_time
from tests.support.exchange_record import answered, request_of
from tests.support.log_lines import LogLines
from tests.support.process import ENVIRONMENT, PATIENCE, wait_until
from tests.support.threaded_clock import ThreadedClock

START = 1795657647.0
"""Where the wall clock begins."""

RECORD = answered()


class AccessLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.path = self.folder / "access.log"
        self.settings = Settings(self.path)
        self.clock = ThreadedClock()
        self.log = AccessLog(self.clock, None, lambda: START + self.clock.seconds())
        self.log_lines = LogLines(self, "ingress.telemetry.access_log.AccessLog")
        self.addCleanup(self.log.stop)

    def begin(self, settings: Settings | None = None) -> None:
        """Start, and learn of the configuration, as a process does."""
        self.log.start()
        self.log.apply(settings or self.settings)

    def line(self) -> bytes:
        """Of `RECORD`, now."""
        return nginx_line(RECORD, nginx_time(START + self.clock.seconds()))

    def wait_for(self, content: bytes, path: Path | None = None) -> None:
        file = path or self.path
        wait_until(lambda: file.exists() and file.read_bytes() == content, f"{content[:80]!r}")

    def stop(self) -> None:
        stopped = self.log.stop()
        self.clock.run_until(lambda: stopped.called, "its end")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def written(self) -> bytes:
        """All that is in the file at the end."""
        self.stop()
        return self.path.read_bytes()

    def test_delay(self) -> None:
        """A line is written a moment later, with those that came meanwhile."""
        self.begin()
        self.log.write(RECORD)
        self.clock.advance(FLUSH_DELAY / 2)
        self.log.write(RECORD)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.wait_for(b"")
        self.clock.advance(FLUSH_DELAY / 2)
        self.wait_for(self.line() * 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_many(self) -> None:
        """Many lines are written at once."""
        self.begin()
        for _ in range(FLUSH_LINES):
            self.log.write(RECORD)
        self.wait_for(self.line() * FLUSH_LINES)

    def test_long(self) -> None:
        """A long line is not kept, so that what is kept is bounded."""
        self.begin()
        agent = b"x" * LONG_LINE
        self.log.write(answered(request_of({b"user-agent": agent})))
        wait_until(lambda: self.path.exists() and agent in self.path.read_bytes(), "the line")

    def test_time(self) -> None:
        """A line has the second in which its exchange was over, whichever way the clock goes."""
        now = [START]
        self.log = AccessLog(self.clock, self.settings, lambda: now[0])
        self.log.start()
        expected = b""
        for time in (START, START + 0.9, START + 1, START + 3600, START - 10):
            now[0] = time
            self.log.write(RECORD)
            expected += nginx_line(RECORD, nginx_time(time))
        self.assertEqual(self.written(), expected)

    def test_stop(self) -> None:
        """At the end all that has come is written."""
        self.begin()
        self.log.write(RECORD)
        self.assertEqual(self.written(), self.line())

    def test_after_the_end(self) -> None:
        """What comes behind the end is not written, and does no harm."""
        self.begin()
        self.stop()
        self.log.write(RECORD)
        self.log.reopen()
        self.log.apply(replace(self.settings, format="json"))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.path.read_bytes() if self.path.exists() else b"", b"")

    def test_off(self) -> None:
        """Without settings nothing is written, and no file made."""
        self.log.start()
        self.log.write(RECORD)
        self.log.reopen()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.stop()
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_before_the_start(self) -> None:
        """Settings that are known at the start hold from then on."""
        self.log.apply(self.settings)
        self.log.write(RECORD)
        self.log.start()
        self.log.write(RECORD)
        self.assertEqual(self.written(), self.line())

    def test_switched_off(self) -> None:
        """What came before the log was switched off is written, the rest is not."""
        self.begin()
        self.log.write(RECORD)
        self.log.apply(None)
        self.log.write(RECORD)
        self.assertEqual(self.written(), self.line())

    def test_same_settings(self) -> None:
        """Settings that did not change open nothing anew."""
        self.begin()
        self.log.write(RECORD)
        self.clock.advance(FLUSH_DELAY)
        self.wait_for(self.line())
        renamed = self.path.rename(self.folder / "renamed")
        self.log.apply(Settings(self.path))
        self.log.write(RECORD)
        self.stop()
        self.assertEqual(renamed.read_bytes().count(b"\n"), 2)

    def test_other_format(self) -> None:
        """Another format is that of the lines from then on, in the same file."""
        self.begin()
        self.log.write(RECORD)
        self.log.apply(replace(self.settings, format="json"))
        self.log.write(RECORD)
        first, second = self.written().splitlines(keepends=True)
        self.assertEqual(first, self.line())
        self.assertTrue(second.startswith(b'{"time":"2026-11-26T01:47:27Z",'), second)

    def test_other_path(self) -> None:
        """Another path is where lines go from then on; none is lost."""
        other = self.folder / "other.log"
        self.begin()
        self.log.write(RECORD)
        self.log.apply(Settings(other))
        self.log.write(RECORD)
        self.stop()
        self.assertEqual(self.path.read_bytes(), self.line())
        self.assertEqual(other.read_bytes(), self.line())

    def test_reopened(self) -> None:
        """What came before the file was moved away is in it, what comes later in a new one."""
        self.begin()
        self.log.write(RECORD)
        self.clock.advance(FLUSH_DELAY)
        self.wait_for(self.line())
        renamed = self.path.rename(self.folder / "access.log.1")
        self.log.write(RECORD)
        self.log.reopen()
        self.log.write(answered(status=404))
        self.assertEqual(self.written().count(b'" 404 '), 1)
        self.assertEqual(renamed.read_bytes(), self.line() * 2)

    def open_pipe(self) -> tuple[Path, int]:
        """A pipe that is full; :return: where it is, and what reads it."""
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDWR)
        self.addCleanup(os.close, reader)
        os.set_blocking(reader, False)
        try:
            while True:
                os.write(reader, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(reader, True)
        return pipe, reader

    def test_end_that_is_held_up(self) -> None:
        """The process does not wait for ever for somebody who takes no lines."""
        pipe, reader = self.open_pipe()
        self.begin(Settings(pipe))
        self.log.write(RECORD)
        line = self.line()
        stopped = self.log.stop()
        self.assertNoResult(stopped)
        self.clock.advance(CLOSE_DELAY)
        self.successResultOf(stopped)
        self.assertEqual(
            self.log_lines.take(),
            [f"Access log: [<LogWriter {pipe} pending={len(line)}>]: the last lines are lost"],
        )
        # It may still be read in time.
        os.read(reader, 1 << 20)
        self.assertEqual(os.read(reader, 1 << 20), line)

    def test_end_of_two(self) -> None:
        """The end is that of what was written to before, too."""
        pipe, reader = self.open_pipe()
        self.begin(Settings(pipe))
        self.log.write(RECORD)
        self.log.apply(self.settings)
        self.log.write(RECORD)
        stopped = self.log.stop()
        self.wait_for(self.line())
        self.assertNoResult(stopped)
        os.read(reader, 1 << 20)
        self.clock.run_until(lambda: stopped.called, "the end")
        self.assertEqual(os.read(reader, 1 << 20), self.line())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_dropped(self) -> None:
        """Lines that are lost are counted, told once, and stay counted when others are written."""
        self.begin(Settings(Path("/dev/full")))
        for _ in range(3):
            self.log.write(RECORD)
        self.clock.advance(FLUSH_DELAY)
        self.clock.run_until(lambda: self.log.dropped == 3, "three lines that are lost")
        self.assertEqual(
            self.log_lines.take(),
            [
                "Access log: /dev/full cannot be written: No space left on device;"
                " lines are lost meanwhile"
            ],
        )
        self.log.apply(self.settings)
        self.log.write(RECORD)
        self.stop()
        self.assertEqual(self.log.dropped, 3)
        self.assertEqual(self.path.read_bytes(), self.line())

    def test_recovery(self) -> None:
        """That lines are written again is told, with how many are not."""
        self.folder.rmdir()
        self.begin()
        self.log.write(RECORD)
        self.clock.advance(FLUSH_DELAY)
        self.clock.run_until(lambda: self.log.dropped, "a line that is lost")
        self.folder.mkdir()
        self.log.write(RECORD)
        self.clock.advance(FLUSH_DELAY)
        recovered = "Access log: lines are written again; lost so far: 1"
        told: list[str] = []

        def is_told() -> bool:
            told.extend(self.log_lines.take())
            return recovered in told

        self.clock.run_until(is_told, recovered)
        self.assertEqual(len(told), 2)

    def test_repr(self) -> None:
        """It shows where it writes, and what it keeps."""
        self.assertEqual(repr(self.log), "<AccessLog off buffered=0>")
        self.begin()
        self.log.write(RECORD)
        self.assertEqual(
            repr(self.log), f"<AccessLog <LogWriter {self.path} pending=0> buffered=1>"
        )


class StdoutTests(SynchronousTestCase):
    PROGRAM = """
import sys
from ingress.config import AccessLog as Settings
from ingress.telemetry.access_log import AccessLog
from tests.support.exchange_record import answered
from tests.support.threaded_clock import ThreadedClock
from twisted.logger import globalLogBeginner, textFileLogObserver

globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
clock = ThreadedClock()
log = AccessLog(clock, Settings(), lambda: 0.0)
log.start()
log.write(answered())
stopped = log.stop()
clock.run_until(lambda: stopped.called, "its end")
"""

    def run_program(self, stdout: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-c", self.PROGRAM],
            env=ENVIRONMENT,
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=True,
        )

    def test_stdout(self) -> None:
        """Lines go to standard output where no path is named."""
        done = self.run_program(subprocess.PIPE)
        self.assertEqual(done.stdout.count(b"\n"), 1)
        self.assertIn(b'"GET / HTTP/1.1" 200 ', done.stdout)
        self.assertEqual(done.stderr, b"")

    def test_null_device(self) -> None:
        """That a daemon's standard output is nowhere is told."""
        done = self.run_program(subprocess.DEVNULL)
        self.assertIn(b"/dev/null: access-log.path names a file", done.stderr)
