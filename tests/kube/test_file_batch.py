"""
Tests for `ingress.kube.file_batch`; reading is tested with `ingress.kube.manifest_content`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.file_batch import BATCH_FILES, BATCH_SIZE, batches
from ingress.kube.folder import FoundFile


def found(name: str, size: int) -> FoundFile:
    return FoundFile(name, (name,), (0, name), (1, 2, size, 4, 5))


class BatchTests(SynchronousTestCase):
    """Files are read together, as long as they are few and small."""

    def test_few(self) -> None:
        """Few files are one batch, none is none."""
        self.assertEqual(list(batches([])), [])
        few = [found("a", 1), found("b", 1)]
        self.assertEqual(list(batches(few)), [few])

    def test_many(self) -> None:
        """Very many files are several batches, in order."""
        many = [found(str(number), 1) for number in range(BATCH_FILES + 1)]
        self.assertEqual(list(batches(many)), [many[:-1], many[-1:]])

    def test_large(self) -> None:
        """A batch ends with the file that makes it too large."""
        a, b, c = found("a", BATCH_SIZE - 1), found("b", 1), found("c", 1)
        self.assertEqual(list(batches([a, b, c])), [[a, b], [c]])
