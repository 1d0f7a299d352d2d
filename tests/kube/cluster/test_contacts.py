"""
Tests for `ingress.kube.cluster.contacts`.
"""

from __future__ import annotations

from tests.kube.cluster.test_source import KINDS, READ, SourceTestCase
from tests.support.cluster_scene import CONFIG, secret, served
from tests.support.fake_api import Rule

ALL = {
    *("Ingress", "IngressClass", "Service"),
    *("EndpointSlice", "Secret", "ConfigMap"),
}


class ContactsTests(SourceTestCase):
    def test_kinds(self) -> None:
        """Each kind is in each metric, also one of which nothing is read."""
        scene = self.make()
        scene.start()
        contacts = scene.source.contacts
        for metric in (contacts.staleness, contacts.relists, contacts.watch_failures):
            self.assertEqual(dict(metric), dict.fromkeys(ALL, 0.0))

    def test_secrets(self) -> None:
        """Relists and failed watches of Secrets are counted, also of those read by name."""
        rules = ((), (*KINDS, Rule(READ, ("",), ("secrets",), names=("a",))))
        for granted in rules:
            scene = self.make(CONFIG, *granted)
            scene.put(*served("web", "a"), secret("a"))
            scene.start()
            scene.turn(30)
            scene.api.drop_watches()
            scene.put(secret("a", "eQ=="))
            scene.api.forget_history()
            scene.turn(30)
            self.assertEqual(scene.source.contacts.relists["Secret"], 1)
            self.assertEqual(scene.source.contacts.watch_failures["Secret"], 2)

    def test_never_less(self) -> None:
        """A counter never goes down, also when a Secret is no longer read."""
        scene = self.make(CONFIG, *KINDS, Rule(READ, ("",), ("secrets",), names=("a",)))
        scene.put(*served("web", "a"), secret("a"))
        scene.start()
        scene.api.drop_watches()
        scene.turn(10)
        before = scene.source.contacts.watch_failures["Secret"]
        self.assertGreater(before, 0)
        scene.api.delete("networking.k8s.io/v1", "Ingress", "web")
        scene.turn()
        self.assertEqual(scene.source.contacts.watch_failures["Secret"], before)
