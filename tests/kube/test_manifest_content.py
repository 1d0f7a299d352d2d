"""
Tests for `ingress.kube.manifest_content`.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.folder import FoundFile, Listing, scan_manifests
from ingress.kube.manifest_content import read_content
from ingress.kube.manifest_file import ManifestFile
from ingress.kube.manifest_update import update_file
from tests.kube.test_manifest_update import config_map, update
from tests.support.disk import Disk


class ReadTests(SynchronousTestCase):
    """Files are read whole, or not at all."""

    def setUp(self) -> None:
        self.disk = Disk(self.mktemp())

    def find(self, name: str) -> FoundFile:
        listing = Listing()
        scan_manifests([self.disk.path(name)], listing)
        return listing.files[self.disk.path(name)]

    def test_documents(self) -> None:
        """A file is read as its documents."""
        self.disk.write("a.yaml", "a: 1\n---\nb: 2\n")
        self.assertEqual(len(read_content(self.find("a.yaml")).documents), 2)

    def test_changed(self) -> None:
        """A file that is not as it was found is to be read again."""
        self.disk.write("a.yaml", "a: 1\n")
        found = self.find("a.yaml")
        self.disk.write("a.yaml", "a: 1\nb: 2\n")
        self.assertTrue(read_content(found).is_unsettled)
        os.unlink(found.path)
        self.assertTrue(read_content(found).is_unsettled)
        os.mkfifo(found.path)
        self.assertTrue(read_content(found).is_unsettled)

    def test_no_text(self) -> None:
        """A file that is no text is a Problem with the line; what it gave stays."""
        self.disk.write("a.yaml", b"a: 1\n\xff\xfe\n")
        content = read_content(self.find("a.yaml"))
        self.assertEqual(
            str(content.problem), f"{self.disk.path('a.yaml')}, line 2: is not UTF-8 text"
        )
        before = update(config_map("a"), ManifestFile())
        steps = update_file("a.yaml", content, before)
        end = self.assertRaises(StopIteration, next, steps)
        self.assertEqual(end.value.objects, before.objects)
        self.assertIn("its last good version is served", end.value.problems[0].message)

    def test_representation(self) -> None:
        """What was read shows no text: it may be a Secret's."""
        self.disk.write("a.yaml", "hunter2\n")
        self.assertNotIn("hunter2", repr(read_content(self.find("a.yaml"))))
