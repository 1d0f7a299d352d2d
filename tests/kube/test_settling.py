"""
Tests for `ingress.kube.settling`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.change import Change
from ingress.kube.folder import FoundFile, Listing
from ingress.kube.settling import GONE_DELAY, MAX_WRITING, Settling
from ingress.steps import finish


def found(version: int, path: str = "/m/a.yaml", settle_delay: float = 0.1) -> FoundFile:
    return FoundFile(path, (f"/real{path}",), (0, path), (version,), settle_delay)


class SettlingTests(SynchronousTestCase):
    """Files are read once they stay as they are."""

    def setUp(self) -> None:
        self.settling = Settling()
        self.known: dict[str, FoundFile] = {}

    def select(
        self, now: float, *files: FoundFile, hidden: str = "", settled: bool = False
    ) -> tuple[list[FoundFile], list[FoundFile], float]:
        listing = Listing(
            files={file.path: file for file in files}, hidden={hidden} if hidden else set()
        )
        return finish(self.settling.select(listing, self.known, now, settled))

    def test_first(self) -> None:
        """While nothing is served, everything is read as it is."""
        self.assertEqual(self.select(0, found(1), settled=True), ([found(1)], [], float("inf")))

    def test_change(self) -> None:
        """A change is read when it has stayed for its delay."""
        self.assertEqual(self.select(0, found(1)), ([], [], 0.1))
        self.assertEqual(self.select(0.1, found(1))[0], [found(1)])

    def test_still_changing(self) -> None:
        """Each further change starts the delay again."""
        for step in range(10):
            self.assertEqual(self.select(step * 0.2, found(step))[0], [])
        self.assertEqual(self.select(1.9, found(9))[0], [found(9)])

    def test_unchanged(self) -> None:
        """What was read is not read again."""
        self.known = {"/m/a.yaml": found(1)}
        self.assertEqual(self.select(0, found(1)), ([], [], float("inf")))

    def test_changed_back(self) -> None:
        """A change that is taken back is none, and the next one waits its whole time."""
        self.known = {"/m/a.yaml": found(1)}
        self.select(0, found(2))
        self.select(1, found(1))
        self.assertEqual(self.select(2, found(2))[0], [])

    def test_longer_delay(self) -> None:
        """Each file has a delay of its own; the shortest wait counts."""
        pair = found(1, "/s", settle_delay=0.3)
        self.assertEqual(self.select(0, found(1), pair)[2], 0.1)
        self.assertEqual(self.select(0.1, found(1), pair)[0], [found(1)])
        self.assertEqual(self.select(0.3, found(1), pair)[0], [found(1), pair])

    def test_gone(self) -> None:
        """A file is given up when it has been gone for a while."""
        self.known = {"/m/a.yaml": found(1)}
        self.assertEqual(self.select(0), ([], [], GONE_DELAY))
        self.assertEqual(self.select(GONE_DELAY), ([], [found(1)], float("inf")))

    def test_back_again(self) -> None:
        """A file that an editor removes and writes again is never gone."""
        self.known = {"/m/a.yaml": found(1)}
        self.select(0)
        self.assertEqual(self.select(0.05, found(2))[:2], ([], []))
        self.assertEqual(self.select(0.2, found(2))[:2], ([found(2)], []))

    def test_hidden(self) -> None:
        """A file in a folder that cannot be read is not gone."""
        self.known = {"/m/a.yaml": found(1)}
        for now in (0, 10):
            self.assertEqual(self.select(now, hidden="/m"), ([], [], float("inf")))
        self.assertEqual(self.select(20, hidden="/m/a")[2], GONE_DELAY)

    def test_writer(self) -> None:
        """A file is not read while somebody writes to it, however long it stays the same."""
        self.settling.notice("/real/m/a.yaml", Change.WRITING, 0)
        self.select(0, found(1))
        self.assertEqual(self.select(5, found(1))[0], [])
        self.settling.notice("/real/m/a.yaml", Change.OTHER, 5)
        self.assertEqual(self.select(5, found(1))[0], [])
        self.settling.notice("/real/m/a.yaml", Change.WRITTEN, 6)
        self.assertEqual(self.select(6, found(1))[0], [found(1)])

    def test_endless_writer(self) -> None:
        """A writer that never closes its file is not waited for for ever."""
        self.settling.notice("/real/m/a.yaml", Change.WRITING, 0)
        wait = self.select(0, found(1))[2]
        self.assertEqual(wait, MAX_WRITING)
        self.assertEqual(self.select(wait, found(1))[0], [found(1)])
