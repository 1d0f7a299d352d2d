"""
Tests for `ingress.worker.feed`.
"""

from __future__ import annotations

import gc
import weakref

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.routing.snapshot import Snapshot, VirtualHost
from ingress.worker.feed import Publication, SnapshotFeed
from ingress.worker.message import Kind
from ingress.worker.replica import Replica


def snapshot(*names: str) -> Snapshot:
    return Snapshot(Config(), hosts={name.encode(): VirtualHost(name) for name in names})


class Table(dict[bytes, VirtualHost]):
    """A mapping that can be referred to weakly."""


class SnapshotFeedTests(SynchronousTestCase):
    """One worker is brought from Snapshot to Snapshot."""

    def setUp(self) -> None:
        self.publication = Publication()
        self.feed = SnapshotFeed(self.publication)
        self.replica = Replica()
        self.published: list[tuple[int, set[bytes]]] = []

    def take(self) -> Kind | None:
        """Have the worker take one message."""
        message = self.feed.take()
        if message is None:
            return None
        kind, content = message
        if kind == Kind.PIECES:
            self.replica.take(content)
        else:
            whole, _ = self.replica.finish()
            self.published.append((int(content), set(whole.hosts)))
        return kind

    def take_all(self) -> None:
        while self.take() is not None:
            pass

    def test_nothing_yet(self) -> None:
        """Before the first Snapshot there is nothing to send."""
        self.assertIsNone(self.take())

    def test_first(self) -> None:
        """The first one comes over, with its generation, once."""
        self.publication.publish(snapshot("a"))
        self.take_all()
        self.assertEqual(self.published, [(1, {b"a"})])
        self.assertIsNone(self.take())

    def test_latecomer(self) -> None:
        """Who comes later gets the newest one."""
        self.publication.publish(snapshot("a"))
        self.publication.publish(snapshot("b"))
        self.take_all()
        self.assertEqual(self.published, [(2, {b"b"})])

    def test_coalesced(self) -> None:
        """What is published while one is under way is skipped, all but the newest."""
        self.publication.publish(snapshot("a"))
        self.assertEqual(self.take(), Kind.PIECES)
        for name in ("b", "c", "d"):
            self.publication.publish(snapshot(name))
        self.take_all()
        self.assertEqual(self.published, [(1, {b"a"}), (4, {b"d"})])

    def test_shared(self) -> None:
        """Workers that have the same need the same messages, which are made once."""
        other = SnapshotFeed(self.publication)
        self.publication.publish(snapshot("a"))
        one, another = self.feed.take(), other.take()
        assert one is not None
        assert another is not None
        self.assertIs(one[1], another[1])

    def test_bounded(self) -> None:
        """However much is published, what is kept is what the worker has and the newest one."""
        self.publication.publish(snapshot("first"))
        self.take()
        skipped = Snapshot(Config(), hosts=Table())
        gone = weakref.ref(skipped.hosts)
        self.publication.publish(skipped)
        del skipped
        self.publication.publish(snapshot("last"))
        gc.collect()
        self.assertIsNone(gone())
