"""
Tests for `ingress.kube.store`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.objects import ConfigMap, Metadata, Objects, Secret
from ingress.kube.store import ObjectStore, key_of


def config_map(name: str, value: str = "") -> ConfigMap:
    return ConfigMap(metadata=Metadata(name=name), data={"a": value})


A = config_map("a")
B = config_map("b")
S = Secret(metadata=Metadata(name="a"))


class StoreTests(SynchronousTestCase):
    """The store has what it was given, and tells when that changes."""

    def setUp(self) -> None:
        self.store = ObjectStore()
        self.seen: list[int] = []
        self.unsubscribe = self.store.subscribe(lambda: self.seen.append(self.store.generation))

    def test_empty(self) -> None:
        """In the beginning there is nothing."""
        self.assertEqual(self.store.view(), Objects())
        self.assertEqual(self.store.generation, 0)

    def test_apply(self) -> None:
        """Objects come and go by kind, namespace and name."""
        self.assertTrue(self.store.apply([A, B, S]))
        self.assertIs(self.store.get(key_of(A)), A)
        changed = config_map("a", "x")
        self.assertTrue(self.store.apply([changed], [key_of(B), ("Secret", "default", "none")]))
        self.assertEqual(self.store.view().config_maps, {("default", "a"): changed})
        self.assertEqual(self.store.view().secrets, {("default", "a"): S})
        self.assertIsNone(self.store.get(key_of(B)))

    def test_views_stay(self) -> None:
        """A view never changes, and shares what has not changed with the next one."""
        self.store.apply([A, S])
        before = self.store.view()
        self.store.apply([B])
        after = self.store.view()
        self.assertEqual(set(before.config_maps), {("default", "a")})
        self.assertIs(after.secrets, before.secrets)
        self.assertIs(after.config_maps["default", "a"], A)

    def test_one_notice(self) -> None:
        """Subscribers are told once for each change, when it is done."""
        self.store.apply([A, B, S])
        self.store.apply([], [key_of(A), key_of(B)])
        self.assertEqual(self.seen, [1, 2])

    def test_no_change(self) -> None:
        """A change without a difference is no change."""
        self.store.apply([A])
        view = self.store.view()
        self.assertFalse(self.store.apply([A], [key_of(B)]))
        self.assertFalse(self.store.apply())
        self.assertIs(self.store.view(), view)
        self.assertEqual(self.seen, [1])

    def test_same_key_twice(self) -> None:
        """Deleting twice is deleting once; of two objects with one key the last one stays."""
        self.store.apply([A])
        self.store.apply([], [key_of(A), key_of(A)])
        self.assertEqual(self.store.view(), Objects())
        self.store.apply([A, changed := config_map("a", "x")])
        self.assertIs(self.store.get(key_of(A)), changed)

    def test_unsubscribe(self) -> None:
        """Whoever unsubscribes is told nothing more; twice does no harm."""
        self.unsubscribe()
        self.unsubscribe()
        self.store.apply([A])
        self.assertEqual(self.seen, [])
