"""
Tests for `ingress.kube.watch`.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from ingress.kube.change import POLL_DELAY, QUIET_DELAY, SETTLE_DELAY, Change
from ingress.kube.watch import FileWatcher, FolderWatcher
from tests.support.disk import Disk

reactor: Any = _reactor


class FileWatcherTests(SynchronousTestCase):
    """A few files, looked at again and again."""

    def setUp(self) -> None:
        self.disk = Disk(self.mktemp())
        self.disk.write("a", "1")
        self.clock = Clock()
        self.told = 0
        self.watcher = FileWatcher(
            self.clock, [self.disk.path("a"), self.disk.path("b")], self.tell
        )
        self.watcher.start()
        self.addCleanup(self.watcher.stop)

    def tell(self) -> None:
        self.told += 1

    def wait(self, seconds: float = 2.0) -> None:
        self.clock.pump([0.05] * int(seconds / 0.05))

    def test_nothing(self) -> None:
        """Nothing is told while nothing changes."""
        self.wait(100)
        self.assertEqual(self.told, 0)

    def test_change(self) -> None:
        """A change is told once, when the file has settled."""
        self.disk.write("a", "2")
        self.clock.advance(POLL_DELAY)
        self.assertEqual(self.told, 0)
        self.clock.advance(SETTLE_DELAY)
        self.assertEqual(self.told, 1)
        self.wait()
        self.assertEqual(self.told, 1)

    def test_still_changing(self) -> None:
        """While a file changes, nothing is told."""
        self.clock.advance(POLL_DELAY)
        for number in range(20):
            self.disk.write("a", str(number))
            self.clock.advance(SETTLE_DELAY)
        self.assertEqual(self.told, 0)
        self.wait()
        self.assertEqual(self.told, 1)

    def test_appears_and_goes(self) -> None:
        """A file that comes or goes has changed."""
        self.disk.write("b", "")
        self.wait()
        self.assertEqual(self.told, 1)
        os.unlink(self.disk.path("a"))
        self.wait()
        self.assertEqual(self.told, 2)

    def test_folder(self) -> None:
        """A folder stands for the files in it: they may change, come and go."""
        self.disk.write("f/1", "1")
        self.watcher.replace([self.disk.path("f")])
        for number, change in enumerate(
            (
                lambda: self.disk.write("f/1", "22"),
                lambda: self.disk.write("f/2", "2"),
                lambda: os.unlink(self.disk.path("f/1")),
            )
        ):
            change()
            self.wait()
            self.assertEqual(self.told, number + 1)
        self.disk.write("a", "2")
        self.wait()
        self.assertEqual(self.told, 3)

    def test_stop(self) -> None:
        """After `stop` nothing is told, and nothing is left to do."""
        self.watcher.stop()
        self.disk.write("a", "2")
        self.wait()
        self.assertEqual(self.told, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class FolderWatcherTests(TestCase):
    """Folders, with inotify."""

    timeout = 20

    def setUp(self) -> None:
        self.disk = Disk(self.mktemp())
        os.mkdir(self.disk.path("m"))
        self.events: list[tuple[str, Change]] = []
        self.watcher = FolderWatcher(reactor, self.note)
        self.addCleanup(self.watcher.stop)
        if not self.watch("m"):
            raise SkipTest("there is no inotify here")

    def note(self, path: str, change: Change) -> None:
        self.events.append((os.path.relpath(path, self.disk.root), change))

    def watch(self, *names: str) -> bool:
        return self.watcher.watch([self.disk.path(name) for name in names])

    def settle(self) -> Deferred[None]:
        """Let the kernel tell what it has to tell."""
        return deferLater(reactor, 0.05)

    async def test_writing(self) -> None:
        """A writer is told while it is at it, and when it is done."""
        with self.disk.open("m/a") as file:
            file.write("a")
            file.flush()
            await self.settle()
            self.assertEqual(self.events[-1], ("m/a", Change.WRITING))
        await self.settle()
        self.assertEqual(self.events[-1], ("m/a", Change.WRITTEN))

    async def test_not_writing(self) -> None:
        """Who wants to hear of files that are closed alone hears nothing of an access log."""
        events: list[Change] = []
        watcher = FolderWatcher(
            reactor, lambda path, change: events.append(change), sees_writing=False
        )
        self.addCleanup(watcher.stop)
        with self.disk.open("m/a") as file:
            self.assertTrue(watcher.watch([self.disk.path("m")]))
            file.write("a")
            file.flush()
            await self.settle()
            self.assertEqual(events, [])
        await self.settle()
        self.assertEqual(events, [Change.WRITTEN])

    async def test_rename(self) -> None:
        """What is renamed into place is complete."""
        self.disk.write("b", "")
        os.rename(self.disk.path("b"), self.disk.path("m/b"))
        await self.settle()
        self.assertEqual(self.events, [("m/b", Change.RENAMED)])

    async def test_lost_folder(self) -> None:
        """The loss of one watched folder costs no other its watch."""
        os.mkdir(self.disk.path("n"))
        self.assertTrue(self.watch("m", "n"))
        shutil.rmtree(self.disk.path("n"))
        await self.settle()
        self.events.clear()
        self.disk.write("m/a", "")
        await self.settle()
        self.assertIn(("m/a", Change.WRITTEN), self.events)
        self.assertEqual(self.watcher.folders, {self.disk.path("m")})

    async def test_folder_made_again(self) -> None:
        """A folder with the name of one that was removed, or moved away, is watched anew."""
        for lose in (shutil.rmtree, lambda path: os.rename(path, f"{path}.old")):
            lose(self.disk.path("m"))
            os.mkdir(self.disk.path("m"))
            await self.settle()
            self.assertTrue(self.watch("m"))
            self.events.clear()
            self.disk.write("m/a", "")
            await self.settle()
            self.assertIn(("m/a", Change.WRITTEN), self.events)

    async def test_no_longer(self) -> None:
        """What is watched no longer tells nothing."""
        os.mkdir(self.disk.path("n"))
        self.assertTrue(self.watch("n"))
        self.disk.write("m/a", "")
        await self.settle()
        self.assertEqual(self.events, [])

    async def test_strange_names(self) -> None:
        """Names that are no text are told as the system has them."""
        with open(os.fsencode(self.disk.path("m")) + b"/\xff\n", "w"):  # noqa: ASYNC230
            pass
        await self.settle()
        self.assertEqual({os.fsencode(path) for path, _ in self.events}, {b"m/\xff\n"})

    def test_missing(self) -> None:
        """A folder that is not there is not watched, and needs no polling of its own."""
        self.assertTrue(self.watch("m", "nowhere"))
        self.assertEqual(self.watcher.folders, {self.disk.path("m")})

    def test_no_descriptors(self) -> None:
        """A reactor without file descriptors has to poll."""
        self.assertFalse(FolderWatcher(Clock(), self.note).watch([self.disk.path("m")]))

    def test_stopped(self) -> None:
        """A watcher that was stopped watches nothing any more."""
        self.watcher.stop()
        self.assertFalse(self.watch("m"))
        self.assertEqual(self.watcher.folders, frozenset())

    async def test_file_watcher(self) -> None:
        """A FileWatcher is told by inotify, long before it would look by itself."""
        told: list[float] = []
        watcher = FileWatcher(
            reactor, [self.disk.path("f")], lambda: told.append(reactor.seconds())
        )
        watcher.start()
        self.addCleanup(watcher.stop)
        started = reactor.seconds()
        self.disk.write("f", "x")
        await deferLater(reactor, 3 * (QUIET_DELAY + SETTLE_DELAY))
        self.assertEqual(len(told), 1)
        self.assertLess(told[0] - started, POLL_DELAY)
