"""
Tests for `ingress.kube.cluster.foreign_config_maps`, on the fake API server.
"""

from __future__ import annotations

from dataclasses import replace

from ingress.kube.cluster.contact import MAX_SILENCE
from ingress.kube.cluster.reflector import MAX_REFUSED
from tests.kube.cluster.test_source import KINDS, SourceTestCase
from tests.support.cluster_scene import CONFIG, ClusterScene, in_namespaces, served
from tests.support.fake_api import Fault
from tests.support.manifest import Manifest, config_map_manifest

LABEL = {"app.kubernetes.io/name": "ingress-nginx"}
WITHOUT = KINDS[:3]
"""All rights but the one to read ConfigMaps."""


def config_map(name: str, *, is_labelled: bool = False, namespace: str = "default") -> Manifest:
    return config_map_manifest(
        name, {"use-gzip": "true"}, namespace=namespace, labels=LABEL if is_labelled else {}
    )


class ConfigMapTests(SourceTestCase):
    """The right to read ConfigMaps is there."""

    def test_recognised(self) -> None:
        """Only ConfigMaps with the label or one of the names are read."""
        scene = self.make()
        scene.put(config_map("a", is_labelled=True), config_map("tcp-services"), config_map("b"))
        scene.start()
        self.assertEqual(scene.names("config_maps"), ["default/a", "default/tcp-services"])
        names = ("", "ingress-nginx-controller", "tcp-services", "udp-services")
        self.assertEqual(scene.asked("configmaps", "list"), [f"list /{name}" for name in names])

    def test_changes(self) -> None:
        """One that comes, changes, or goes after the start is followed."""
        scene = self.make()
        scene.start()
        scene.put(config_map("a", is_labelled=True))
        scene.turn()
        self.assertEqual(scene.names("config_maps"), ["default/a"])
        scene.put(config_map_manifest("a", {"use-http2": "x"}, labels=LABEL))
        scene.turn()
        (item,) = scene.store.view().config_maps.values()
        self.assertEqual(item.data, {"use-http2": "x"})
        scene.api.delete("v1", "ConfigMap", "a")
        scene.turn()
        self.assertEqual(scene.names("config_maps"), [])

    def test_label_goes(self) -> None:
        """One that loses its label is dropped, unless its name recognises it."""
        scene = self.make()
        for name in ("a", "ingress-nginx-controller"):
            scene.put(config_map(name, is_labelled=True))
        scene.start()
        self.assertEqual(len(scene.names("config_maps")), 2)
        for name in ("a", "ingress-nginx-controller"):
            scene.put(config_map(name))
        scene.turn()
        self.assertEqual(scene.names("config_maps"), ["default/ingress-nginx-controller"])

    def test_namespaces(self) -> None:
        """With some namespaces, only those in them are read, with rights in them only."""
        rules = [replace(rule, namespace=each) for rule in KINDS for each in ("a", "b")]
        scene = self.make(in_namespaces("a", "b"), *rules, KINDS[0])
        for namespace in ("a", "b", "c"):
            scene.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            scene.put(config_map("x", is_labelled=True, namespace=namespace))
        scene.start()
        scene.turn(10)
        self.assertEqual(scene.names("config_maps"), ["a/x", "b/x"])
        self.assertEqual(scene.problems, [])

    def test_age(self) -> None:
        """Their age is that of their lists and watches, and says when these fail."""
        scene = self.make()
        scene.start()
        scene.turn(1)
        contacts = scene.source.contacts
        self.assertLess(contacts.staleness["ConfigMap"], MAX_SILENCE)
        scene.api.fail(Fault(500, None, resource="configmaps"))
        scene.api.drop_watches()
        scene.api.forget_history()
        scene.turn(MAX_SILENCE + 10)
        self.assertGreater(contacts.staleness["ConfigMap"], MAX_SILENCE)
        self.assertLess(contacts.staleness["Service"], MAX_SILENCE)
        [note] = contacts.notes()
        self.assertIn("configmaps", note)
        scene.api.disturbances.faults.clear()
        scene.turn(20)
        self.assertLess(contacts.staleness["ConfigMap"], MAX_SILENCE)
        self.assertEqual(contacts.notes(), [])

    def test_renewed(self) -> None:
        """A watch that a server which was gone has lost is begun anew."""
        scene = self.make()
        scene.start()
        before = len(scene.asked("configmaps", "watch"))
        scene.api.fail(Fault(0, None))
        scene.turn(MAX_SILENCE)
        scene.api.disturbances.faults.clear()
        scene.turn(20)
        self.assertGreater(len(scene.asked("configmaps", "watch")), before)


class RefusedTests(SourceTestCase):
    """The right to read ConfigMaps is missing."""

    def start_without(self) -> ClusterScene:
        scene = self.make(CONFIG, *WITHOUT)
        scene.put(*served(), config_map("tcp-services"), config_map("a", is_labelled=True))
        scene.start()
        return scene

    def test_harmless(self) -> None:
        """Everything else is served, with nothing to note in readiness, and no age."""
        scene = self.start_without()
        self.successResultOf(scene.started)
        for _ in range(10):
            self.assertEqual(scene.names("ingresses"), ["default/web"])
            self.assertEqual(scene.source.contacts.notes(), [])
            self.assertNotIn("ConfigMap", scene.source.contacts.staleness)
            scene.turn(10)

    def test_told(self) -> None:
        """It is one Problem, once, with what follows and what to grant, until it is granted."""
        scene = self.start_without()
        scene.turn(MAX_REFUSED)
        [problem] = scene.problems
        self.assertIn(
            "may not list configmaps with the label app.kubernetes.io/name=ingress-nginx, so keys of"
            " ConfigMaps of ingress-nginx, which have no effect, are not reported: grant list and"
            " watch of configmaps (configmaps is forbidden",
            problem,
        )
        self.assertEqual(len(scene.told), 1)
        scene.grant(*KINDS)
        scene.turn(MAX_REFUSED)
        self.assertEqual(scene.problems, [])
        self.assertEqual(scene.names("config_maps"), ["default/a", "default/tcp-services"])
        self.assertLess(scene.source.contacts.staleness["ConfigMap"], MAX_SILENCE)

    def test_unreachable(self) -> None:
        """A server that is gone while they are tried again is not said to withhold them."""
        scene = self.start_without()
        scene.api.fail(Fault(503, 1, resource="configmaps"))
        for _ in range(30):
            scene.turn(1)
            self.assertNotIn("cannot be read", " ".join(scene.problems))
            self.assertEqual(scene.source.contacts.notes(), [])

    def test_retries(self) -> None:
        """It is tried again soon at first, then at most every ten minutes."""
        scene = self.start_without()
        scene.turn(5)
        tries = len(scene.asked("configmaps"))
        self.assertGreater(tries, 4)
        scene.turn(1800)
        before = len(scene.asked("configmaps"))
        scene.turn(1800)
        self.assertLessEqual(len(scene.asked("configmaps")) - before, 4 * 6)

    def test_passing(self) -> None:
        """A refusal by a server that starts is no Problem, and soon over."""
        scene = self.make(CONFIG, *KINDS)
        scene.put(config_map("tcp-services"))
        scene.api.restart(2.0)
        scene.start()
        scene.turn(10)
        self.assertEqual(scene.names("config_maps"), ["default/tcp-services"])
        self.assertEqual(scene.told, [])
