"""
Tests for `ingress.kube.cluster.configured_objects`, on the fake API server.
"""

from __future__ import annotations

from dataclasses import replace

from ingress.config import PortServices
from ingress.kube.cluster.reflector import MAX_REFUSED
from tests.kube.cluster.test_source import KINDS, SourceTestCase
from tests.support.cluster_scene import CONFIG, ClusterScene, served
from tests.support.fake_api import Fault, Rule
from tests.support.manifest import config_map_manifest

NAME = "settings"
NAMED = replace(CONFIG, config_map=("default", NAME))
FOREIGN = replace(CONFIG, config_map=("default", "ingress-nginx-controller"))
WITHOUT = KINDS[:3]
"""All rights but the one to read ConfigMaps."""


class ConfigMapTests(SourceTestCase):
    """The ConfigMap that the configuration names."""

    def data(self, scene: ClusterScene, name: str = NAME) -> dict[str, str] | None:
        """The data of a ConfigMap in the store; None if it is not there."""
        item = scene.store.view().config_maps.get(("default", name))
        return item.data if item is not None else None

    def test_read(self) -> None:
        """It is in the store at the start, read and watched by its name, and no other is."""
        scene = self.make(NAMED)
        scene.put(*served(), config_map_manifest(NAME, {"a": "1"}), config_map_manifest("x", {}))
        scene.start()
        self.successResultOf(scene.started)
        self.assertEqual(self.data(scene), {"a": "1"})
        self.assertEqual(scene.names("config_maps"), [f"default/{NAME}"])
        self.assertIn(f"list default/{NAME}", scene.asked("configmaps"))

    def test_changes(self) -> None:
        """Its changes, and its end, are followed."""
        scene = self.make(NAMED)
        scene.put(config_map_manifest(NAME, {"a": "1"}))
        scene.start()
        scene.put(config_map_manifest(NAME, {"a": "2"}))
        scene.turn()
        self.assertEqual(self.data(scene), {"a": "2"})
        scene.api.delete("v1", "ConfigMap", NAME)
        scene.turn()
        self.assertIsNone(self.data(scene))

    def test_turned_bad(self) -> None:
        """A version that cannot be used is a Problem, and the one before stays."""
        scene = self.make(NAMED)
        scene.put(config_map_manifest(NAME, {"a": "1"}))
        scene.start()
        scene.put({**config_map_manifest(NAME, {}), "data": {"a": 1}})
        scene.turn()
        self.assertEqual(self.data(scene), {"a": "1"})
        self.assertEqual(len(scene.problems), 1)

    def test_missing(self) -> None:
        """That it does not exist is an answer: the start is over."""
        scene = self.make(NAMED)
        scene.start()
        self.successResultOf(scene.started)

    def test_unanswered(self) -> None:
        """As long as the server does not answer about it, the start is not over, and says why."""
        scene = self.make(NAMED)
        scene.put(*served(), config_map_manifest(NAME, {}))
        scene.api.fail(Fault(500, None, resource="configmaps"))
        scene.start()
        scene.turn(120)
        self.assertNoResult(scene.started)
        self.assertTrue(any("configmaps" in note for note in scene.source.contacts.notes()))
        scene.api.disturbances.faults.clear()
        scene.turn(60)
        self.successResultOf(scene.started)

    def test_forbidden(self) -> None:
        """Without the right to read it nothing begins, because it may decide access."""
        scene = self.make(NAMED, *WITHOUT)
        scene.put(*served(), config_map_manifest(NAME, {}))
        scene.start()
        scene.turn(MAX_REFUSED + 120)
        self.assertNoResult(scene.started)
        self.assertTrue(
            any(f"may not read ConfigMap default/{NAME}: grant" in each for each in scene.problems),
            scene.problems,
        )
        scene.grant(*KINDS)
        scene.turn(120)
        self.successResultOf(scene.started)

    def test_right_by_name(self) -> None:
        """The right to get this one by its name is enough."""
        right = Rule(("get",), ("",), ("configmaps",), names=(NAME,))
        scene = self.make(NAMED, *WITHOUT, right)
        scene.put(*served(), config_map_manifest(NAME, {"a": "1"}))
        scene.start()
        scene.turn(10)
        self.successResultOf(scene.started)
        self.assertEqual(self.data(scene), {"a": "1"})

    def test_foreign(self) -> None:
        """It may be one that is read as ingress-nginx's anyway, and then lose its label."""
        name = FOREIGN.config_map[1] if FOREIGN.config_map else ""
        scene = self.make(FOREIGN)
        labels = {"app.kubernetes.io/name": "ingress-nginx"}
        scene.put(config_map_manifest(name, {"a": "1"}, labels=labels))
        scene.start()
        self.successResultOf(scene.started)
        generation = scene.store.generation
        scene.put(config_map_manifest(name, {"a": "2"}))
        scene.turn()
        self.assertEqual(self.data(scene, name), {"a": "2"})
        self.assertEqual(scene.store.generation, generation + 1)
        scene.api.delete("v1", "ConfigMap", name)
        scene.turn()
        self.assertIsNone(self.data(scene, name))

    def test_named_by_it(self) -> None:
        """ConfigMaps that it names are read before the start is over, and when it names others."""
        scene = self.make(NAMED)
        scene.put(config_map_manifest(NAME, {"add-headers": "default/b"}))
        for name in "bcd":
            scene.put(config_map_manifest(name, {name: name}))
        scene.start()
        self.successResultOf(scene.started)
        self.assertEqual(scene.names("config_maps"), ["default/b", f"default/{NAME}"])
        scene.put(config_map_manifest(NAME, {"proxy-set-headers": "default/c"}))
        scene.turn()
        self.assertEqual(scene.names("config_maps"), ["default/c", f"default/{NAME}"])

    def test_reconfigured(self) -> None:
        """Another one is known before the configuration that names it may be built with."""
        scene = self.make()
        scene.put(config_map_manifest(NAME, {"a": "1"}))
        scene.start()
        scene.api.fail(Fault(500, None, resource="configmaps"))
        first = scene.source.reconfigure(NAMED)
        scene.turn(5)
        self.assertNoResult(first)
        second = scene.source.reconfigure(NAMED)
        self.successResultOf(first)
        self.assertNoResult(second)
        scene.api.disturbances.faults.clear()
        scene.turn(30)
        self.successResultOf(second)
        self.assertEqual(self.data(scene), {"a": "1"})
        third = scene.source.reconfigure(CONFIG)
        scene.turn()
        self.successResultOf(third)
        self.assertEqual(scene.names("config_maps"), [])

    def test_ports(self) -> None:
        """The ConfigMaps of TCP and UDP services are read and followed by their names as well."""
        ports = PortServices(tcp=("default", "ports"), udp=("default", "udp-services"))
        scene = self.make(replace(CONFIG, port_services=ports))
        scene.put(*served(), config_map_manifest("ports", {"1": "a/b:1"}))
        scene.start()
        self.successResultOf(scene.started)
        self.assertEqual(self.data(scene, "ports"), {"1": "a/b:1"})
        scene.put(config_map_manifest("ports", {"2": "a/b:1"}))
        scene.put(config_map_manifest("udp-services", {"3": "a/b:1"}))
        scene.turn()
        self.assertEqual(self.data(scene, "ports"), {"2": "a/b:1"})
        self.assertEqual(self.data(scene, "udp-services"), {"3": "a/b:1"})
