"""
Tests for `ingress.kube.cluster.reading`, over recorded objects as well.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.cluster.reading import read_object
from ingress.kube.cluster.wire import decode_event, decode_head, decode_page
from ingress.kube.conversion import convert
from ingress.kube.manifest import KINDS, Reading
from ingress.kube.objects import (
    ConfigMap,
    EndpointSlice,
    Ingress,
    IngressClass,
    KubeObject,
    ObjectKey,
    Secret,
    Service,
)
from tests.support.manifest import (
    Manifest,
    config_map_manifest,
    endpoint_manifests,
    ingress_manifest,
    opaque_manifest,
)
from tests.support.recorded import exchange, exchanges

KEY: ObjectKey = ("Ingress", "default", "web")


def read(manifest: Manifest, key: ObjectKey = KEY) -> Reading:
    return read_object(json.dumps(manifest).encode(), key)


def read_item(manifest: Manifest, key: ObjectKey = KEY) -> Any:
    reading = read(manifest, key)
    assert reading.item is not None, reading.problems
    return reading.item


def recorded(kind: str, name: str) -> list[KubeObject]:
    """The objects of a recorded list."""
    found = []
    for item in decode_page(exchange("list", name).answer).items or ():
        head = decode_head(item)
        assert head is not None
        reading = read_object(item, (kind, *head.name))
        assert reading.item is not None, reading.problems
        found.append(reading.item)
    return found


class RecordedTests(SynchronousTestCase):
    """Objects of a real server are read without a fault."""

    def test_ingress(self) -> None:
        """An Ingress keeps its annotations, but for kubectl's copy of the whole."""
        (item,) = recorded("Ingress", "list ingresses")
        assert isinstance(item, Ingress)
        self.assertEqual(item.key, ("default", "kubia"))
        self.assertTrue(item.metadata.uid)
        self.assertIsNotNone(item.metadata.creation_timestamp)
        self.assertEqual(item.metadata.annotations, {})
        self.assertEqual([rule.host for rule in item.spec.rules], ["kubia.example.com"])

    def test_class(self) -> None:
        """An IngressClass has no namespace."""
        (item, *_) = recorded("IngressClass", "list ingressclasses")
        assert isinstance(item, IngressClass)
        self.assertEqual(item.key, ("", "twisted"))

    def test_services(self) -> None:
        """Services are complete, without unused fields."""
        for item in recorded("Service", "list services"):
            assert isinstance(item, Service)
            self.assertTrue(item.spec.ports)
            self.assertEqual(item.metadata.labels, {})
            self.assertEqual(item.metadata.annotations, {})

    def test_slices(self) -> None:
        """An EndpointSlice keeps the one label by which it names its Service."""
        (item, *_) = recorded("EndpointSlice", "list endpointslices")
        assert isinstance(item, EndpointSlice)
        self.assertEqual(item.service, ("default", "kubia-nodeport"))
        self.assertEqual(len(item.metadata.labels), 1)
        self.assertTrue(item.endpoints)

    def test_config_map(self) -> None:
        """A ConfigMap keeps the label by which one of ingress-nginx is recognised, and no other."""
        labels = {"app.kubernetes.io/name": "ingress-nginx", "helm.sh/chart": "x"}
        item = read_item(config_map_manifest("a", {}, labels=labels), ("ConfigMap", "default", "a"))
        assert isinstance(item, ConfigMap)
        self.assertEqual(item.metadata.labels, {"app.kubernetes.io/name": "ingress-nginx"})

    def test_secret(self) -> None:
        """The data of a Secret is decoded."""
        (item,) = recorded("Secret", "list secrets?fieldSelector=metadata.name%3Dtls-secret")
        assert isinstance(item, Secret)
        self.assertEqual(set(item.data), {"tls.crt", "tls.key"})
        self.assertIn(b"-----BEGIN CERTIFICATE-----", item.data["tls.crt"])

    def test_owner(self) -> None:
        """A Secret keeps the label by which we know our own, and no other."""
        manifest = opaque_manifest("s", a="b")
        manifest["metadata"] = {
            "name": "s",
            "labels": {"app.kubernetes.io/managed-by": "txingress", "team": "edge"},
        }
        item = read_item(manifest, ("Secret", "default", "s"))
        self.assertEqual(item.metadata.labels, {"app.kubernetes.io/managed-by": "txingress"})

    def test_watched(self) -> None:
        """Every object of every recorded watch is read, deleted ones as well."""
        count = 0
        for each in exchanges("watch").values():
            for line in each.answer.splitlines():
                if not line.strip() or b'"ERROR"' in line[:20]:
                    continue
                event = decode_event(line)
                head = decode_head(event.object)
                assert head is not None
                if event.type == "BOOKMARK":
                    continue
                kind = json.loads(bytes(event.object))["kind"]
                self.assertEqual(read_object(event.object, (kind, *head.name)).problems, ())
                count += 1
        self.assertGreater(count, 8)


class ShapeTests(SynchronousTestCase):
    """Shapes that are not the usual one."""

    def test_same(self) -> None:
        """The fast way gives the same objects as files do."""
        manifest = ingress_manifest("web", "a.example", {"/": "web"}, tls={"s": ["a.example"]})
        expected, _ = convert(json.loads(json.dumps(manifest)), Ingress)
        assert expected is not None
        self.assertEqual(read_item(manifest), expected)

    def test_null(self) -> None:
        """null is as good as absent."""
        (manifest,) = endpoint_manifests("web", 80)
        key = ("EndpointSlice", "default", "web-0")
        empty = read_item({**manifest, "endpoints": None, "ports": None}, key)
        self.assertEqual((empty.endpoints, empty.ports), ((), ()))
        manifest["endpoints"] = [
            {"addresses": ["10.0.0.1"], "conditions": {"ready": None, "serving": None}}
        ]
        (endpoint,) = read_item(manifest, key).endpoints
        self.assertTrue(endpoint.conditions.ready)

    def test_null_annotation(self) -> None:
        """An annotation that is null is there, and empty."""
        manifest = ingress_manifest("web", "a.example", {"/": "web"})
        manifest["metadata"] = {"name": "web", "annotations": {"a/b": None}}
        self.assertEqual(read_item(manifest).metadata.annotations, {"a/b": ""})

    def test_ours(self) -> None:
        """Fields that are ours and not the API's mean nothing in an object."""
        manifest = ingress_manifest("web", "a.example", {"/": "web"})
        manifest |= {"origin": {"file": "x", "line": 1}, "onlyGuards": True}
        item = read_item(manifest)
        self.assertFalse(item.only_guards)
        self.assertEqual(item.origin.file, "")

    def test_kinds(self) -> None:
        """There is a decoder for each kind, which takes the least that one can be."""
        for kind, (_, type_) in KINDS.items():
            reading = read({"metadata": {"name": "a"}}, (kind, "b", "a"))
            self.assertTrue(reading.problems or isinstance(reading.item, type_), kind)


class FaultTests(SynchronousTestCase):
    """One bad object is a Problem on it."""

    def problems(self, manifest: Manifest, key: ObjectKey = KEY) -> list[str]:
        return [str(problem) for problem in read(manifest, key).problems]

    def test_shape(self) -> None:
        """A shape that does not fit is named with its field."""
        manifest = ingress_manifest("web", "a.example", {"/": "web"})
        manifest["spec"] = {"rules": {"host": "x"}}
        self.assertEqual(
            self.problems(manifest), ["Ingress default/web: spec.rules: must be a list"]
        )

    def test_rule(self) -> None:
        """A broken rule of the API server is named with its field and value."""
        manifest = ingress_manifest("web", "A.example", {"/": "web"})
        (problem,) = self.problems(manifest)
        self.assertIn('Ingress default/web: spec.rules[0].host: "A.example": must be', problem)

    def test_guards(self) -> None:
        """The remains of a faulty Ingress guard its paths."""
        manifest = ingress_manifest("web", "A.example", {"/": "web"}, annotations={"auth-url": "x"})
        item = read_item(manifest)
        self.assertTrue(item.only_guards)

    def test_loopback(self) -> None:
        """An endpoint that is ourselves is a fault in a cluster, and is not used."""
        (manifest,) = endpoint_manifests("web", 80)
        reading = read(manifest, ("EndpointSlice", "default", "web-0"))
        assert isinstance(reading.item, EndpointSlice)
        self.assertEqual(reading.item.endpoints, ())
        self.assertIn("must not be a loopback address", reading.problems[0].message)

    def test_both_classes(self) -> None:
        """A stored Ingress may have both the annotation and the field for its class."""
        manifest = ingress_manifest(
            "web", "a.example", {"/": "web"}, annotations={"kubernetes.io/ingress.class": "nginx"}
        )
        spec: Any = manifest["spec"]
        spec["ingressClassName"] = "twisted"
        self.assertEqual(self.problems(manifest), [])
        self.assertFalse(read_item(manifest).only_guards)

    def test_secret(self) -> None:
        """No value of a Secret is shown, whatever is wrong with it."""
        key = ("Secret", "default", "s")
        for content in (
            {"data": {"a": "se cret!"}},
            {"data": {"a b": b64encode(b"secret").decode()}},
            {"data": "secret"},
            {"type": ["secret"]},
            {"metadata": {"name": "s", "annotations": "secret"}},
        ):
            problems = self.problems({"metadata": {"name": "s"}, **content}, key)
            self.assertTrue(problems, content)
            self.assertNotIn("secret", "".join(problems).replace("Secret", ""))

    def test_no_object(self) -> None:
        """A text that is not an object is a Problem."""
        for text in (b"[]", b"1", b"\xff", b"{"):
            self.assertTrue(read_object(text, KEY).problems, text)
