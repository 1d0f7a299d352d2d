"""Tests of `ingress.telemetry.log_writer`, with its thread and real files."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.telemetry.log_writer import MAX_PENDING, LogWriter
from tests.support.process import ENVIRONMENT, PATIENCE, wait_until
from tests.support.threaded_clock import ThreadedClock

LINE = b"a line of the log\n"
MUCH = b"x" * 999 + b"\n"

FULL_AT = 1000
"""Bytes of a file for which there is room."""

FULL_DISK = """
import sys
from pathlib import Path
from tests.telemetry.test_log_writer import write_to_full_disk

write_to_full_disk(Path(sys.argv[1]))
"""


class WriterTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.path = self.folder / "access.log"
        self.clock = ThreadedClock()
        self.problems: list[str] = []
        self.recoveries = 0
        self.writer = self.make(self.path)

    def make(self, path: Path | None) -> LogWriter:
        """A writer that runs until the test is over."""
        writer = LogWriter(path, self.clock.callFromThread, self.problems.append, self.recovered)
        writer.start()
        self.addCleanup(writer.stop)
        return writer

    def recovered(self) -> None:
        self.recoveries += 1

    def write(self, lines: bytes) -> None:
        self.writer.write(lines, lines.count(b"\n"))

    def wait_for_content(self, content: bytes, path: Path | None = None) -> None:
        file = path or self.path
        wait_until(lambda: file.exists() and file.read_bytes() == content, f"{content[:80]!r}")

    def stop(self) -> None:
        """Let it write what there is, and end."""
        stopped = self.writer.stop()
        self.clock.run_until(lambda: stopped.called, "its end")


class FileTests(WriterTestCase):
    def test_written(self) -> None:
        """What is handed over is in the file, in order."""
        self.write(b"one\ntwo\n")
        self.write(b"three\n")
        self.wait_for_content(b"one\ntwo\nthree\n")
        self.assertEqual((self.writer.dropped, self.problems), (0, []))

    def test_appended(self) -> None:
        """A file that is there already is continued."""
        self.path.write_bytes(b"before\n")
        self.write(LINE)
        self.wait_for_content(b"before\n" + LINE)

    def test_mode(self) -> None:
        """The group may read a new file, others may not, whatever the umask of a daemon is."""
        before = os.umask(0o077)
        self.addCleanup(os.umask, before)
        self.write(LINE)
        self.wait_for_content(LINE)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o640)

    def test_mode_of_existing_file(self) -> None:
        """The mode of a file that exists is left as it is."""
        existing = self.folder / "existing.log"
        existing.touch()
        existing.chmod(0o604)
        # A writer of its own: the one of setUp() may be creating its file just now.
        self.make(existing).write(LINE, 1)
        self.wait_for_content(LINE, existing)
        self.assertEqual(stat.S_IMODE(existing.stat().st_mode), 0o604)

    def test_stop(self) -> None:
        """At the end all is written, and the file is closed."""
        for _ in range(100):
            self.write(MUCH * 20)
        self.stop()
        self.assertEqual(self.path.stat().st_size, 100 * 20 * len(MUCH))
        self.assertNotIn(str(self.path), opened_files())

    def test_two_writers(self) -> None:
        """Several processes may write to one file: no line is within another one."""
        other = self.make(self.path)
        for _ in range(200):
            self.write(b"a" * 999 + b"\n")
            other.write(b"b" * 99 + b"\n", 1)
        stopped = other.stop()
        self.stop()
        self.clock.run_until(lambda: stopped.called, "the other one's end")
        lines = self.path.read_bytes().splitlines()
        self.assertEqual((lines.count(b"a" * 999), lines.count(b"b" * 99)), (200, 200))

    def test_reopened(self) -> None:
        """What was handed over before goes to the file that was renamed, the rest to a new one."""
        self.write(b"before\n")
        self.wait_for_content(b"before\n")
        renamed = self.path.rename(self.folder / "access.log.1")
        self.write(b"still before\n")
        self.writer.reopen()
        self.write(b"after\n")
        self.wait_for_content(b"after\n")
        self.assertEqual(renamed.read_bytes(), b"before\nstill before\n")
        self.assertNotIn(str(renamed), opened_files())

    def test_opened(self) -> None:
        """It is opened before there is a line."""
        self.wait_for_content(b"")
        self.write(LINE)
        self.wait_for_content(LINE)

    def test_reopened_without_folder(self) -> None:
        """Where it cannot be opened again, the old file is kept, and somebody is told."""
        self.write(b"before\n")
        self.wait_for_content(b"before\n")
        moved = self.folder.rename(self.folder.with_name("moved"))
        self.writer.reopen()
        self.write(b"after\n")
        self.wait_for_content(b"before\nafter\n", moved / "access.log")
        self.clock.run_until(lambda: self.problems, "the problem")
        self.assertEqual(
            self.problems,
            [
                f"{self.path} cannot be opened again, the old file is kept: "
                "No such file or directory"
            ],
        )
        self.assertEqual((self.writer.dropped, self.recoveries), (0, 0))

    def test_no_folder(self) -> None:
        """Without a folder lines are lost, which is told once; with one they are written."""
        path = self.folder / "folder" / "access.log"
        self.writer = self.make(path)
        self.clock.run_until(lambda: self.problems, "the problem")
        for _ in range(3):
            self.write(LINE * 2)
        self.clock.run_until(lambda: self.writer.dropped == 6, "six lines that are lost")
        self.assertEqual(
            self.problems,
            [f"{path} cannot be opened: No such file or directory; lines are lost meanwhile"],
        )
        path.parent.mkdir()
        self.write(LINE)
        self.wait_for_content(LINE, path)
        self.clock.run_until(lambda: self.recoveries, "the recovery")
        self.assertEqual((self.recoveries, self.writer.dropped, len(self.problems)), (1, 6, 1))

    def test_repr(self) -> None:
        """It shows where it writes, and how much waits."""
        self.assertEqual(repr(self.writer), f"<LogWriter {self.path} pending=0>")
        self.assertEqual(repr(self.make(None)), "<LogWriter stdout pending=0>")


class FullTests(WriterTestCase):
    def test_no_space(self) -> None:
        """Where there is no space, lines are lost and counted, and it is told once."""
        self.writer = self.make(Path("/dev/full"))
        for _ in range(3):
            self.write(LINE * 2)
        self.clock.run_until(lambda: self.writer.dropped == 6, "six lines that are lost")
        self.assertEqual(
            self.problems,
            ["/dev/full cannot be written: No space left on device; lines are lost meanwhile"],
        )

    def test_space_for_a_part(self) -> None:
        """
        Where the space ends within a line, that and what follows is lost; what comes
        when there is space again is not taken for the rest of it.
        """
        done = subprocess.run(
            [sys.executable, "-c", FULL_DISK, str(self.path)],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, "dropped 6\n")
        whole, rest = divmod(FULL_AT, len(LINE))
        self.assertEqual(self.path.read_bytes(), LINE * whole + LINE[:rest] + b"\n" + b"after\n")

    def test_new_file_after_a_part(self) -> None:
        """A new file does not begin with the end of a line of the old one."""
        reader, pipe = self.open_pipe()
        self.write(b"x" * 100_000 + b"\n")
        self.assertEqual(os.read(reader, 1), b"x")
        os.close(reader)
        self.clock.run_until(lambda: self.writer.dropped == 1, "the broken pipe")
        pipe.unlink()
        self.writer.reopen()
        self.write(b"after\n")
        self.wait_for_content(b"after\n", pipe)

    def open_pipe(self) -> tuple[int, Path]:
        """Write to a pipe; :return: what reads it, and where it is."""
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        # It could be written to as well, so that nobody sees its end before it is.
        reader = os.open(pipe, os.O_RDWR)
        self.writer = self.make(pipe)
        return reader, pipe

    def test_pipe_that_nobody_opens(self) -> None:
        """A pipe without a reader holds up nothing: lines are lost until there is one."""
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        self.writer = self.make(pipe)
        self.write(LINE)
        self.clock.run_until(lambda: self.writer.dropped == 1, "a line that is lost")
        self.assertIn("No such device or address", self.problems[0])
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        os.set_blocking(reader, True)
        self.write(LINE)
        self.clock.run_until(lambda: self.recoveries, "the recovery")
        self.assertEqual(os.read(reader, 1000), LINE)

    def test_pipe_that_nobody_reads(self) -> None:
        """What waits for a slow reader is bounded; the rest is lost, which is told once."""
        reader, pipe = self.open_pipe()
        lines, batches = MUCH * 1000, MAX_PENDING // (len(MUCH) * 1000) + 5
        for _ in range(batches):
            self.write(lines)
        self.assertGreater(self.writer.dropped, 4000)
        dropped = self.writer.dropped
        self.assertEqual(
            self.problems,
            [f"{pipe} does not take lines as fast as they come; lines are lost meanwhile"],
        )
        kept = batches * 1000 - dropped
        read = read_all(reader, kept * len(MUCH) + len(LINE))
        wait_until(lambda: len(read) == kept * len(MUCH), "all that was kept")
        self.assertEqual(self.recoveries, 0)
        self.write(LINE)
        self.assertEqual((self.recoveries, self.writer.dropped), (1, dropped))
        wait_until(lambda: read.endswith(LINE), "the line behind")

    def test_pipe_and_whole_lines(self) -> None:
        """What goes into a pipe at once is whole lines, so that others can write to it, too."""
        reader, pipe = self.open_pipe()
        other = self.make(pipe)
        read = read_all(reader, 100 * 4500)
        for _ in range(100):
            self.write(b"a" * 999 + b"\n" + b"a" * 2999 + b"\n")
            other.write(b"b" * 499 + b"\n", 1)
        wait_until(lambda: len(read) == 100 * 4500, "both")
        self.assertEqual(
            {(line[:1], len(line)) for line in bytes(read).splitlines()},
            {(b"a", 999), (b"a", 2999), (b"b", 499)},
        )

    def test_line_longer_than_a_pipe(self) -> None:
        """A line that is longer than what goes in at once goes in all the same."""
        reader, _ = self.open_pipe()
        read = read_all(reader, 100_001 + len(LINE))
        self.write(b"x" * 100_000 + b"\n" + LINE)
        wait_until(lambda: len(read) == 100_001 + len(LINE), "all of it")


class StdoutTests(SynchronousTestCase):
    """Standard output is that of a process of its own."""

    def run_python(self, code: str, **settings: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            [sys.executable, "-c", code],
            env=ENVIRONMENT,
            timeout=PATIENCE,
            check=True,
            **settings,
        )

    PROGRAM = """
import os
from ingress.telemetry.log_writer import LogWriter
from tests.support.threaded_clock import ThreadedClock

clock, problems = ThreadedClock(), []
writer = LogWriter(None, clock.callFromThread, problems.append)
%s
writer.start()
for _ in range(500):
    writer.write(b"x" * 999 + b"\\n", 1)
writer.reopen()
stopped = writer.stop()
clock.run_until(lambda: stopped.called, "its end")
os.write(2, repr((writer.dropped, problems)).encode())
os.write(1, b"still open\\n")
"""

    def test_written(self) -> None:
        """It is written and never closed."""
        done = self.run_python(self.PROGRAM % "", capture_output=True)
        self.assertEqual(done.stdout, (b"x" * 999 + b"\n") * 500 + b"still open\n")
        self.assertEqual(done.stderr, b"(0, [])")

    def test_non_blocking(self) -> None:
        """Somebody else may have made it non-blocking."""
        done = self.run_python(self.PROGRAM % "os.set_blocking(1, False)", capture_output=True)
        self.assertEqual(done.stderr, b"(0, [])")
        self.assertEqual(done.stdout.count(b"\n"), 501)

    def test_closed(self) -> None:
        """Where there is none, lines are lost, and that is told."""
        program = self.PROGRAM.replace('os.write(1, b"still open\\n")', "")
        done = self.run_python(program % "os.close(1)", stderr=subprocess.PIPE)
        self.assertEqual(
            done.stderr,
            b"(500, ['standard output cannot be opened: Bad file descriptor;"
            b" lines are lost meanwhile'])",
        )


def opened_files() -> set[str]:
    """What this process has open."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(f"/proc/self/fd/{name}"))
    return found


def read_all(reader: int, size: int) -> bytearray:
    """:return: what comes, as it comes, up to so many bytes; then the reader is closed."""
    read = bytearray()

    def run() -> None:
        while len(read) < size:
            read.extend(os.read(reader, 1 << 16))
        os.close(reader)

    threading.Thread(target=run, daemon=True).start()
    return read


def write_to_full_disk(path: Path) -> None:
    """In a process of its own: a file of which there is room for `FULL_AT` bytes."""
    import resource

    clock = ThreadedClock()
    writer = LogWriter(path, clock.callFromThread, lambda problem: None)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_AT, most))
    writer.start()
    count = FULL_AT // len(LINE) + 6
    writer.write(LINE * count, count)
    clock.run_until(lambda: writer.dropped, "lines that are lost")
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    writer.write(b"after\n", 1)
    stopped = writer.stop()
    clock.run_until(lambda: stopped.called, "its end")
    print("dropped", writer.dropped)
