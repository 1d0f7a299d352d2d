"""
Tests for `ingress.kube.awaited_config_map`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.awaited_config_map import AwaitedConfigMap
from ingress.kube.folder import Listing
from ingress.kube.manifest_file import ManifestFile
from ingress.kube.objects import ConfigMap, KubeObject, Metadata, ObjectKey
from ingress.kube.unread import Unread
from ingress.problem import Origin

NAME = ("b", "a")
KEY: ObjectKey = ("ConfigMap", *NAME)
GOOD = ConfigMap(metadata=Metadata(name="a", namespace="b"))
LOCKED = Listing(unread=("locked",))


class AwaitedTests(SynchronousTestCase):
    """It is unknown as long as it may be where nothing can be read."""

    def setUp(self) -> None:
        self.there: dict[ObjectKey, KubeObject] = {}
        self.awaited = AwaitedConfigMap(NAME)

    def changes(
        self, listing: Listing = LOCKED, *files: ManifestFile
    ) -> tuple[list[KubeObject], list[ObjectKey]]:
        return self.awaited.changes(self.there.get, files, listing)

    def unknown(self, listing: Listing = LOCKED, *files: ManifestFile) -> ConfigMap:
        [item], deletes = self.changes(listing, *files)
        assert isinstance(item, ConfigMap)
        self.assertEqual((item.key, item.unreadable, deletes), (NAME, ("",), []))
        return item

    def test_unknown(self) -> None:
        """A path, a file or a document that cannot be read may hold it; it stays the same object."""
        item = self.unknown()
        self.assertEqual(item.origin, Origin("locked"))
        self.assertIs(self.unknown(), item)
        place = Unread(Origin("f.yaml", 3), frozenset({"a", "x"}), frozenset({"b"}))
        self.assertEqual(self.unknown(Listing(), ManifestFile(unread=(place,))).origin.line, 3)
        self.awaited.unsettled["half.yaml"] = None
        self.assertEqual(self.unknown(Listing()).origin.file, "half.yaml")

    def test_absent(self) -> None:
        """If everything can be read, or nothing that cannot may hold it, there is none."""
        self.assertEqual(self.changes(Listing()), ([], [KEY]))
        other = Unread(Origin("f.yaml", 3), frozenset({"x"}), frozenset({"b"}))
        self.assertEqual(self.changes(Listing(), ManifestFile(unread=(other,))), ([], [KEY]))
        self.unknown()
        self.assertEqual(self.changes(Listing()), ([], [KEY]))
        self.awaited = AwaitedConfigMap(None)
        self.assertEqual(self.changes(), ([], []))

    def test_known(self) -> None:
        """Once it was known it is not unknown any more, but gone."""
        self.unknown()
        self.there[KEY] = GOOD
        self.assertEqual(self.changes(), ([GOOD], []))
        self.there.clear()
        self.assertEqual(self.changes(), ([], [KEY]))

    def test_renamed(self) -> None:
        """Another name is awaited anew, and the former one is not; somebody may wait for that."""
        self.unknown()
        same = self.awaited.configure(NAME)
        self.assertTrue(same.called)
        known = self.awaited.configure(("b", "c"))
        self.awaited.applied()
        self.assertFalse(known.called)
        [item], deletes = self.changes()
        self.assertEqual((item.key, deletes), (("b", "c"), [KEY]))
        self.awaited.applied()
        self.assertTrue(known.called)
        late = self.awaited.configure(None)
        self.awaited.stop()
        self.assertTrue(late.called)
