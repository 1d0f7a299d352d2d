"""
One namespace, and Roles alone, on a real API server.
"""

from __future__ import annotations

from pathlib import Path

from tests.chart.test_objects import FURTHER
from tests.real_cluster.case import (
    BALANCER,
    RealClusterTestCase,
    manual_slice,
    web_ingress,
)
from tests.support.manifest import service_manifest
from tests.support.process import wait_until

A = "10.244.1.10"


class ScopedTests(RealClusterTestCase):
    """``controller.scope`` with ``rbac.scope``."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        values = FURTHER["scoped"]
        fields = {"addHeaders": {"X-Installed-By": "Helm"}}
        cls.install(folder, {**values, "controller": {**values["controller"], **fields}})
        cls.give_address()
        cls.answer("a", A)

    def test_serves(self) -> None:
        """
        Ingresses of the namespace are served, with the ConfigMap and the address of the release,
        and no others.
        """
        for namespace, host in (("shop", "a.example"), ("default", "b.example")):
            self.apply(
                web_ingress("web", host),
                *(service_manifest("web"), manual_slice("web", [A])),
                namespace=namespace,
            )
        self.wait_for_answer("a")
        self.wait_for_addresses("web", {"ip": BALANCER}, namespace="shop")
        self.assertEqual(self.process.get(host="b.example").status, 404)
        self.assertEqual(self.process.get().field("X-Installed-By"), "Helm")
        self.kubectl.run("delete", "ingress", "web", "--namespace", "shop")
        wait_until(lambda: self.process.get().status == 404, "it not to be served any more")

    def check_rights(self) -> None:
        """IngressClasses belong to no namespace; their names alone decide."""
        refused = self.cluster.audit.refused(self.user())
        self.assertEqual({each.resource for each in refused}, {"ingressclasses"})
