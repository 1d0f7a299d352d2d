"""
Tests for `ingress.kube.validation`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.fault import spell_field
from ingress.kube.manifest import KINDS
from ingress.kube.objects import (
    ConfigMap,
    IngressClass,
    IngressClassSpec,
    KubeObject,
    Metadata,
    Secret,
    Service,
    ServicePort,
    ServiceSpec,
)
from ingress.kube.validation import MAX_DATA, find_faults


def fields(item: KubeObject) -> list[str]:
    """The field of every fault."""
    return [spell_field(fault.path) for fault in find_faults(item)]


class MetadataTests(SynchronousTestCase):
    """The metadata of every object."""

    def test_names(self) -> None:
        """Names are DNS names, those of Services labels, namespaces labels."""
        spec = ServiceSpec(ports=(ServicePort(port=80),))
        self.assertEqual(
            fields(Service(metadata=Metadata(name="a.b"), spec=spec)), ["metadata.name"]
        )
        self.assertEqual(fields(ConfigMap(metadata=Metadata(name="a.b"))), [])
        self.assertEqual(fields(ConfigMap(metadata=Metadata(name=""))), ["metadata.name"])
        self.assertEqual(
            fields(ConfigMap(metadata=Metadata(name="a", namespace="a.b"))), ["metadata.namespace"]
        )

    def test_annotations(self) -> None:
        """Keys are qualified names, in either case; all together are not endless."""
        metadata = Metadata(name="a", annotations={"A.b/C": "x", "a b": "", "c": "x" * 300_000})
        self.assertEqual(
            fields(ConfigMap(metadata=metadata)),
            ["metadata.annotations[a b]", "metadata.annotations"],
        )

    def test_labels(self) -> None:
        """Keys and values have their rules."""
        metadata = Metadata(name="a", labels={"A.b/c": "x", "d": "a b", "e": ""})
        self.assertEqual(
            fields(ConfigMap(metadata=metadata)), ["metadata.labels[A.b/c]", "metadata.labels[d]"]
        )


class KindTests(SynchronousTestCase):
    """The kinds that have no module of their own."""

    def test_every_kind(self) -> None:
        """Each kind that is read is checked."""
        for _, type_ in KINDS.values():
            if type_ not in (KINDS["Ingress"][1], KINDS["EndpointSlice"][1]):
                self.assertIn("metadata.name", fields(type_(metadata=Metadata(name="?"))))

    def test_ingress_class(self) -> None:
        """A controller is a DNS name and a path."""
        for controller in ("a.b/c", "a/b/c"):
            spec = IngressClassSpec(controller=controller)
            self.assertEqual(
                fields(IngressClass(metadata=Metadata(name="a", namespace=""), spec=spec)), []
            )
        for controller in ("", "a", "a/", "/a", "A/b", f"a/{'x' * 250}"):
            spec = IngressClassSpec(controller=controller)
            item = IngressClass(metadata=Metadata(name="a", namespace=""), spec=spec)
            self.assertEqual(fields(item), ["spec.controller"], controller)

    def test_tls_secret(self) -> None:
        """A Secret for TLS has both files, of any content; other Secrets need not."""
        metadata = Metadata(name="a")
        good = Secret(
            metadata=metadata, type="kubernetes.io/tls", data={"tls.crt": b"", "tls.key": b"?"}
        )
        self.assertEqual(fields(good), [])
        self.assertEqual(
            fields(Secret(metadata=metadata, type="kubernetes.io/tls", data={"ca.crt": b""})),
            ["data[tls.crt]", "data[tls.key]"],
        )
        self.assertEqual(fields(Secret(metadata=metadata, data={"tls.crt": b""})), [])

    def test_data(self) -> None:
        """Keys are file names; all values together are not endless."""
        item = ConfigMap(metadata=Metadata(name="a"), data={"a/b": "", "c": "x" * (MAX_DATA + 1)})
        self.assertEqual(fields(item), ["data[a/b]", "data"])
