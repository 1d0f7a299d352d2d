"""
A real API server accepts what people apply: the chart with many values, the manifests, the examples.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.chart.test_objects import FURTHER, INGRESS_NGINX, OF_INGRESS_NGINX, values_files
from tests.real_cluster.case import NAMESPACE, RealClusterTestCase
from tests.support.chart import Rendering, Values
from tests.support.deploy import DEPLOY, REPLACE, kustomize
from tests.support.process import CHECKOUT

EXAMPLES = sorted((CHECKOUT / "examples" / "ingress-nginx").glob("*/manifests.yaml"))

OPERATOR = ("ServiceMonitor", "PodMonitor", "PrometheusRule")
"""Kinds of the Prometheus operator. What is in them, `tests.chart` compares with their schemas."""

SWEPT: dict[str, Values] = {
    "default": {},
    "of ingress-nginx": yaml.safe_load(INGRESS_NGINX.read_text()),
    "ports": {
        "tcp": {"5432": "default/postgres:5432", "53": "default/dns:53"},
        "udp": {"53": "default/dns:53"},
    },
    "certificates": {"rbac": {"certificates": True}},
    **OF_INGRESS_NGINX,
    **FURTHER,
    **values_files(),
}


class ObjectTests(RealClusterTestCase):
    """All are applied by the server, with strict validation; nothing of it is kept."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.install(folder)
        # They have fields that cannot be changed or stay, and that differ.
        kinds = "deployments,services,poddisruptionbudgets,horizontalpodautoscalers"
        cls.kubectl.run("delete", kinds, "--all", "--namespace", NAMESPACE)
        cls.add_namespaces("edge", "monitoring", "ingress-nginx")
        cls.apply(*map(definition, OPERATOR))
        names = [f"crd/{kind.lower()}s.monitoring.coreos.com" for kind in OPERATOR]
        cls.kubectl.run("wait", "--for=condition=Established", "--timeout=20s", *names)

    def test_chart(self) -> None:
        """The chart with each set of values of its own tests."""
        for name, values in SWEPT.items():
            with self.subTest(values=name):
                documents = Rendering(values).documents
                said = self.apply(*documents, dry=True)
                self.assertEqual(said.count("serverside-applied"), len(documents), said)

    def test_manifests(self) -> None:
        """``etc/deploy`` and its variants."""
        for folder in (DEPLOY, DEPLOY / "certificates", REPLACE / "beside", REPLACE / "instead"):
            with self.subTest(folder=folder.name):
                self.apply(*kustomize(folder), dry=True)

    def test_examples(self) -> None:
        """Those of ingress-nginx's documentation, but for endpoints on loopback."""
        self.assertGreater(len(EXAMPLES), 20)
        for file in EXAMPLES:
            documents = [
                each
                for each in yaml.safe_load_all(file.read_text())
                if each is not None and each["kind"] != "EndpointSlice"
            ]
            spaces = {each["metadata"].get("namespace", "default") for each in documents}
            with self.subTest(example=file.parent.name):
                self.add_namespaces(*(spaces - {"default"}))
                self.apply(*documents, dry=True)


def definition(kind: str) -> dict[str, object]:
    """A CustomResourceDefinition for a kind of the operator, whose objects may contain anything."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    plural = f"{kind.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com",
            "names": {"kind": kind, "plural": plural},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }
