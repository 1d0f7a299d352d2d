"""
Tests for `ingress.kube.api.fresh_files`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, execute
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.fresh_files import MAX_AGE, MAX_FILE_SIZE, FreshFiles, UnreadableFile


class SlowThread:
    """Calls a function when the test says so."""

    def __init__(self) -> None:
        self._calls: list[tuple[Deferred[None], Callable[..., Any], tuple[Any, ...]]] = []

    def __call__(self, call: Callable[..., Any], *args: Any) -> Deferred[Any]:
        due: Deferred[None] = Deferred()
        self._calls.append((due, call, args))
        return due.addCallback(lambda _: call(*args))

    def run(self) -> int:
        """:return: how many calls there were."""
        calls, self._calls = self._calls, []
        for due, _, _ in calls:
            due.callback(None)
        return len(calls)


class FreshFilesTests(SynchronousTestCase):
    """Files are read once a minute at most, and whenever it is known that they are old."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "token"
        self.path.write_bytes(b"first")
        self.clock = Clock()
        self.files = FreshFiles(self.clock, execute, [self.path])

    def contents(self) -> tuple[bytes, ...]:
        return self.successResultOf(Deferred.fromCoroutine(self.files.contents()))

    def test_age(self) -> None:
        """Contents are used for a minute, and then read again."""
        self.assertEqual(self.contents(), (b"first",))
        self.path.write_bytes(b"second")
        self.clock.advance(MAX_AGE - 1)
        self.assertEqual(self.contents(), (b"first",))
        self.clock.advance(1)
        self.assertEqual(self.contents(), (b"second",))

    def test_expire(self) -> None:
        """`expire` causes another read."""
        self.contents()
        self.path.write_bytes(b"second")
        self.files.expire()
        self.assertEqual(self.contents(), (b"second",))

    def test_never_read(self) -> None:
        """Without the file there is nothing, until there is."""
        self.path.unlink()
        asked = Deferred.fromCoroutine(self.files.contents())
        error = self.failureResultOf(asked, UnreadableFile).value
        self.assertEqual(str(error), f"{self.path} cannot be read: No such file or directory")
        self.path.write_bytes(b"late")
        self.assertEqual(self.contents(), (b"late",))

    def test_gone(self) -> None:
        """The content of a missing file stays in use, and the log says so once."""
        self.contents()
        self.path.unlink()
        with capturedLogs() as events:
            for _ in range(3):
                self.clock.advance(MAX_AGE)
                self.assertEqual(self.contents(), (b"first",))
        self.assertEqual(len(events), 1)
        self.path.write_bytes(b"again")
        self.clock.advance(MAX_AGE)
        self.assertEqual(self.contents(), (b"again",))

    def test_too_large(self) -> None:
        """A file without end is not read to it."""
        self.files = FreshFiles(self.clock, execute, [Path("/dev/zero")])
        asked = Deferred.fromCoroutine(self.files.contents())
        error = self.failureResultOf(asked, UnreadableFile).value
        self.assertIn(f"more than {MAX_FILE_SIZE} bytes", str(error))

    def test_many(self) -> None:
        """Callers during a read share its result, and cancelling one does not affect the others."""
        thread = SlowThread()
        self.files = FreshFiles(self.clock, thread, [self.path])
        asked = [Deferred.fromCoroutine(self.files.contents()) for _ in range(3)]
        asked[0].cancel()
        self.failureResultOf(asked[0], CancelledError)
        self.assertEqual(thread.run(), 1)
        for each in asked[1:]:
            self.assertEqual(self.successResultOf(each), (b"first",))
        self.assertEqual(self.contents(), (b"first",))
        self.assertEqual(thread.run(), 0)
