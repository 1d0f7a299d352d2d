"""
Tests for `ingress.command.migrate_reading` and `ingress.command.migrate_copies`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from ingress.command.migrate_reading import ReadFiles, read_objects
from tests.support.manifest import config_map_manifest, ingress_manifest, service_manifest

SECRET = {"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "hidden"}}
WEB = ingress_manifest(
    "web", "a.example", {"/": "web"}, annotations={"auth-url": "http://me:hidden@auth.example/"}
)


class ReadingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)
        self.file = self.folder / "a.yaml"
        self.ticks = 0

    def tick(self) -> None:
        self.ticks += 1

    def read(self, text: str, *, is_input: bool = False) -> ReadFiles:
        self.file.write_text(text)
        names = {str(self.file): "-"} if is_input else {}
        return read_objects([str(self.file)], names, self.tick)

    def found(self, text: str) -> list[tuple[str, int]]:
        return [(each.name, each.line) for each in self.read(text).objects]

    def test_lists(self) -> None:
        """Of a list only objects of an installation are parsed, with the lines that they have."""
        text = """\
apiVersion: v1
items:
- kind: Ingress
  metadata: {name: a}
# - kind: Service
- kind: Service
  metadata: {name: b}
- kind: Ingress
  metadata:
    annotations: {x: "
- y"}
- {kind: ConfigMap, metadata: {name: c}}
kind: List
"""
        self.assertEqual(self.found(text), [("b", 6), ("c", 12)])
        whole = self.ticks
        others = "- {kind: Ingress, metadata: {name: x}}\n" * 2000
        self.assertEqual(
            self.found(text.replace("items:\n", f"items:\n{others}")), [("b", 2006), ("c", 2012)]
        )
        self.assertLess(self.ticks, 2 * whole + 10)

    def test_anchors(self) -> None:
        """What needs another item is read with it; other lists below a key are no items."""
        text = (
            "kind: List\nitems:\n- &a {x: y}\n- {kind: Service, metadata: {name: b, labels: *a}}\n"
        )
        self.assertEqual(self.found(text), [("b", 4)])
        hook = "kind: ValidatingWebhookConfiguration\nmetadata: {name: h}\nwebhooks:\n- name: x\n"
        [item] = self.read(hook).objects
        self.assertEqual(item.at("webhooks", 0, "name"), "x")

    def test_copies(self) -> None:
        """Of standard input all that is served is copied, in each form, and never a Secret."""
        config_map = config_map_manifest("c", {"password": "hidden", "X-Plain": "shown"})
        objects: list[Any] = [WEB, service_manifest("web"), SECRET, config_map]
        typed = {**WEB}
        del typed["kind"]
        for text in (
            yaml.safe_dump_all(objects),
            yaml.safe_dump({"kind": "List", "items": objects}),
            json.dumps({"kind": "List", "items": objects}),
            json.dumps({"kind": "List", "items": [{"kind": "List", "items": objects}]}, indent=1),
            yaml.safe_dump_all([{"kind": "IngressList", "items": [typed]}, *objects[1:]]),
        ):
            copied = self.read(text, is_input=True).copies
            read = list(yaml.safe_load_all("---\n".join(copied)))
            self.assertEqual([each["kind"] for each in read], ["Ingress", "Service", "ConfigMap"])
            self.assertEqual(read[0]["spec"], WEB["spec"])
            self.assertEqual(read[2]["data"], {"X-Plain": "shown"})
            self.assertNotIn("hidden", repr(copied))
        self.assertEqual(self.read(yaml.safe_dump(WEB)).copies, ())
