"""
Tests for `ingress.command.bounded_input`, and for the commands that read by it.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.command import bounded_input
from ingress.command.bounded_input import copy_input, is_stream, read_input
from ingress.command.failure import CannotRun
from tests.command.test_offline import WEB
from tests.support.command import run

LIMIT = "4 MiB (4,194,304 bytes) at most are read"
MOST = 4 << 20


@contextmanager
def pipe(content: bytes) -> Iterator[str]:
    """:return: what a shell makes of ``<(command)``; the content fits into the pipe."""
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    try:
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)


class BoundedInputTests(SynchronousTestCase):
    def file(self, content: bytes) -> str:
        path = Path(self.mktemp())
        path.write_bytes(content)
        return str(path)

    def standard_input(self, content: bytes) -> None:
        self.patch(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    def test_read(self) -> None:
        """A file, a pipe, a device and standard input are read to their end."""
        self.assertEqual(read_input(self.file(b"abc")), b"abc")
        with pipe(b"abc") as name:
            self.assertEqual(read_input(name), b"abc")
        self.assertEqual(read_input("/dev/null"), b"")
        self.standard_input(b"abc")
        self.assertEqual(read_input("-"), b"abc")

    def test_too_large(self) -> None:
        """What is larger, or has no end, is refused with its name, its size and the limit."""
        large = self.file(bytes(MOST + 1))
        self.standard_input(bytes(MOST + 1))
        for name, message in (
            (large, f"{large}: {LIMIT}, and it has 4,194,305 bytes"),
            ("-", f"standard input: {LIMIT}, and it has more"),
            ("/dev/zero", f"/dev/zero: {LIMIT}, and it has more"),
        ):
            error = self.assertRaises(CannotRun, read_input, name, MOST)
            self.assertEqual(str(error), message)
        self.assertEqual(len(read_input(self.file(bytes(MOST)), MOST)), MOST)

    def test_copied(self) -> None:
        """A copy has the same content, and the same bound."""
        copy = self.mktemp()
        copy_input(self.file(b"abc"), copy)
        self.assertEqual(Path(copy).read_bytes(), b"abc")
        self.assertRaises(CannotRun, copy_input, "/dev/zero", self.mktemp(), MOST)

    def test_unreadable(self) -> None:
        """What cannot be read is named."""
        for name in ("/nowhere", "/tmp", "a\0b"):
            error = self.assertRaises(CannotRun, read_input, name)
            self.assertIn(name, str(error))

    def test_streams(self) -> None:
        """Files and folders are read where they are; what is not there is nothing at all."""
        for name in ("/", self.file(b""), "/nowhere", "a\0b"):
            self.assertFalse(is_stream(name), name)
        with pipe(b"") as name:
            for stream in ("-", "/dev/zero", name):
                self.assertTrue(is_stream(stream), stream)

    def test_commands(self) -> None:
        """Manifests come from pipes, several at once, and findings have their names."""
        with pipe(WEB.encode()) as one, pipe(WEB.replace("name: web", "name: b").encode()) as two:
            status, text, _ = run("check", one, two)
        self.assertEqual(status, 1)
        self.assertIn(f"{one}:10: ", text)
        self.assertIn(f"{two}:10: ", text)
        with pipe(WEB.encode()) as old, pipe(WEB.encode()) as new:
            self.assertEqual(run("diff", old, new)[0], 0)

    def test_endless(self) -> None:
        """No command reads without end."""
        manifests = self.file(WEB.encode())
        self.patch(bounded_input, "_PIECE", 32 << 20)
        for arguments in (
            ("check", "/dev/zero"),
            ("explain", "http://a.example/", "--config", "/dev/zero"),
            ("test", "/dev/zero", "--", manifests),
        ):
            status, _, remark = run(*arguments)
            self.assertEqual(status, 2)
            self.assertIn("/dev/zero: ", remark)
