"""
Tests for `ingress.command.shadow_lines`.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.command.failure import CannotRun
from ingress.command.shadow_lines import AT_ONCE, INTERVAL, MAX_LINE, FileFollower, LineSplitter


class SplitterTests(SynchronousTestCase):
    """Lines in pieces."""

    def setUp(self) -> None:
        self.lines: list[bytes] = []
        self.splitter = LineSplitter(self.lines.append)

    def test_pieces(self) -> None:
        """Whole, byte by byte and with a piece at the end, lines are the same."""
        data = b"one\ntwo\r\n\nthree\n"
        for size in (len(data), 1, 5):
            self.lines.clear()
            for start in range(0, len(data), size):
                self.splitter.feed(data[start : start + size])
            self.assertEqual(self.lines, [b"one", b"two", b"three"])

    def test_end(self) -> None:
        """The last line needs no end."""
        self.splitter.feed(b"one\ntwo")
        self.splitter.end()
        self.assertEqual(self.lines, [b"one", b"two"])
        self.assertFalse(self.splitter.drop())

    def test_too_long(self) -> None:
        """A line that is too long is given once, cut; no more of it is kept, and the next is whole."""
        for _ in range(100):
            self.splitter.feed(b"x" * MAX_LINE)
            self.assertLess(len(repr(self.splitter)), 40)
        self.splitter.feed(b"x\nnext\n")
        self.assertEqual(self.lines, [b"x" * MAX_LINE, b"next"])
        self.splitter.feed(b"y" * (MAX_LINE + 10) + b"\nlast\n")
        self.assertEqual(self.lines[2:], [b"y" * MAX_LINE, b"last"])


class FollowerTests(SynchronousTestCase):
    """A file while it is written."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.write_bytes(b"before\n")
        self.lines: list[bytes] = []
        self.cut: list[int] = []
        self.clock = Clock()

    def follow(self, *, from_start: bool = False) -> FileFollower:
        follower = FileFollower(
            self.clock,
            str(self.path),
            LineSplitter(self.lines.append),
            lambda: self.cut.append(1),
            from_start=from_start,
        )
        follower.start()
        self.addCleanup(follower.stop)
        return follower

    def append(self, data: bytes) -> None:
        with self.path.open("ab") as stream:
            stream.write(data)

    def look(self, times: int = 3) -> list[bytes]:
        """:return: the lines since the last look."""
        self.lines.clear()
        for _ in range(times):
            self.clock.advance(INTERVAL)
        return list(self.lines)

    def test_appended(self) -> None:
        """What is written from now on is read; a line whose end has not come waits for it."""
        self.follow()
        self.append(b"one\ntw")
        self.assertEqual(self.look(), [b"one"])
        self.append(b"o\n")
        self.assertEqual(self.look(), [b"two"])

    def test_from_start(self) -> None:
        """What is there already is read if that is asked for, in bounded pieces."""
        self.append(b"x\n" * AT_ONCE)
        self.follow(from_start=True)
        self.assertLess(len(self.lines), AT_ONCE)
        self.look(5)
        self.assertEqual(self.look(), [])

    def test_renamed(self) -> None:
        """A file that is renamed is read to its end, then the new one from its beginning."""
        follower = self.follow()
        self.look()
        self.append(b"last\ncu")
        os.rename(self.path, f"{self.path}.1")
        self.path.write_bytes(b"first\n")
        self.assertEqual(self.look(), [b"last", b"first"])
        self.assertEqual((follower.rotations, follower.cut_lines, self.cut), (1, 1, [1]))

    def test_missing(self) -> None:
        """Between two files there may be none."""
        self.follow()
        self.look()
        os.rename(self.path, f"{self.path}.1")
        self.assertEqual(self.look(), [])
        self.path.write_bytes(b"first\n")
        self.assertEqual(self.look(), [b"first"])

    def test_truncated(self) -> None:
        """A file that was emptied (copytruncate) is read from its beginning."""
        follower = self.follow()
        self.append(b"one\n")
        self.look()
        self.path.write_bytes(b"")
        self.append(b"a\n")
        self.assertEqual(self.look(), [b"a"])
        self.assertEqual(follower.rotations, 1)

    def test_no_file(self) -> None:
        """What is no file is refused, and nothing waits for it."""
        fifo = self.path.with_suffix(".fifo")
        os.mkfifo(fifo)
        for path in (str(fifo), str(self.path.parent), "/nowhere"):
            with self.assertRaises(CannotRun):
                FileFollower(self.clock, path, LineSplitter(self.lines.append))
