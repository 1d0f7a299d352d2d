"""
Tests for `ingress.kube.manifest_content`.
"""

from __future__ import annotations

import os

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.folder import FoundFile, Listing, scan_manifests
from ingress.kube.manifest_content import read_content
from ingress.kube.manifest_file import ManifestFile
from ingress.kube.manifest_update import update_file
from ingress.steps import finish
from tests.kube.test_manifest_update import config_map, key, update
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

    def test_remains(self) -> None:
        """Of a file that is no text, what can be recognised counts, until it is text."""
        text = """kind: ConfigMap
metadata: {name: a, namespace: b}
---
kind: Ingress
metadata: {annotations: {a.b/c: d}}
spec: {rules: [{host: h.example}]}
# \u00fc
"""
        for encoding in ("latin-1", "utf-16-le", "utf-16-be"):
            self.disk.write("a.yaml", text.encode(encoding))
            content = read_content(self.find("a.yaml"))
            self.assertIsNotNone(content.problem)
            [place] = content.remains.unread
            self.assertTrue(place.may_hold(("b", "a")))
            self.assertFalse(place.may_hold(("b", "c")))
            after = finish(update_file("a.yaml", content, ManifestFile()))
            self.assertEqual([kind for kind, _, _ in after.objects], ["Ingress"])
            self.assertEqual(after.unread, (place,))
            good = update(config_map("a"), after)
            self.assertEqual((set(good.objects), good.unread), ({key("a")}, ()))
            self.assertEqual(
                finish(update_file("a.yaml", content, good)).objects, good.objects, "the last good"
            )

    def test_nothing_recognised(self) -> None:
        """A file that is no text at all, or that cannot be opened, may hold anything."""
        self.disk.write("a.yaml", b"\x1f\x8b\xff" * 9)
        found = self.find("a.yaml")
        [place] = read_content(found).remains.unread
        self.assertTrue(place.may_hold(("b", "a")))
        looped = msgspec.structs.replace(found, path=found.path + "/x")
        content = read_content(looped)
        self.assertIn("cannot be read: Not a directory", str(content.problem))
        self.assertTrue(content.remains.unread[0].may_hold(("b", "a")))

    def test_representation(self) -> None:
        """What was read shows no text: it may be a Secret's."""
        self.disk.write("a.yaml", "hunter2\n")
        self.assertNotIn("hunter2", repr(read_content(self.find("a.yaml"))))
