"""
Tests for `ingress.kube.cluster.shared_objects`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.cluster.shared_objects import SharedObjects
from ingress.kube.objects import ConfigMap, KubeObject, Metadata, ObjectKey

KEY = ("ConfigMap", "default", "a")


def config_map(value: str) -> ConfigMap:
    return ConfigMap(metadata=Metadata(name="a"), data={"key": value})


class RecordingSink:
    def __init__(self) -> None:
        self.seen: list[object] = []

    def put(self, item: KubeObject) -> None:
        self.seen.append(item)

    def delete(self, key: ObjectKey) -> None:
        self.seen.append(key)


class SharedObjectsTests(SynchronousTestCase):
    """Two Mirrors have the same object."""

    def setUp(self) -> None:
        self.sink = RecordingSink()
        objects = SharedObjects(self.sink)
        self.one, self.other = objects.share(), objects.share()

    def test_put(self) -> None:
        """A version that both have is passed on once."""
        for share in (self.one, self.other):
            share.put(config_map("1"))
        self.other.put(config_map("2"))
        self.one.put(config_map("2"))
        self.assertEqual(self.sink.seen, [config_map("1"), config_map("2")])

    def test_delete(self) -> None:
        """The object is gone when the last of them has it no more."""
        self.one.put(config_map("1"))
        self.other.put(config_map("1"))
        self.one.delete(KEY)
        self.assertEqual(self.sink.seen, [config_map("1")])
        self.other.delete(KEY)
        self.assertEqual(self.sink.seen, [config_map("1"), KEY])

    def test_back(self) -> None:
        """An object that was gone is passed on again, even if it is the same."""
        self.one.put(config_map("1"))
        self.one.delete(KEY)
        self.one.put(config_map("1"))
        self.assertEqual(self.sink.seen, [config_map("1"), KEY, config_map("1")])
