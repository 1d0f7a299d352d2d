"""
Other ways to install the chart, on a real API server: one namespace with Roles alone, bare metal,
ports of TCP and UDP services.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from tests.chart.test_objects import FURTHER
from tests.real_cluster.case import (
    BALANCER,
    NAMESPACE,
    NODE,
    RealClusterTestCase,
    manual_slice,
    of_class,
    web_ingress,
)
from tests.support.certs import CertificateAuthority
from tests.support.client import count_names, trusting
from tests.support.manifest import ingress_manifest, secret_manifest, service_manifest
from tests.support.process import wait_until

A = "10.244.1.10"


class ScopedTests(RealClusterTestCase):
    """``controller.scope`` with ``rbac.scope``."""

    authority: ClassVar[CertificateAuthority]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        values = FURTHER["scoped"]
        further = {
            "addHeaders": {"X-Installed-By": "Helm"},
            "extraArgs": {
                "default-ssl-certificate": f"{NAMESPACE}/tls",
                "update-status-on-shutdown": True,
            },
        }
        cls.install(
            folder, {**values, "controller": {**values["controller"], **further}}, is_served=False
        )
        cls.authority = CertificateAuthority()
        cls.apply(secret_manifest("tls", cls.authority.issue("a.example")), namespace=NAMESPACE)
        cls.give_address()
        cls.process.start()
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

    def test_rights(self) -> None:
        """All rights are needed, those in the namespace of the release as well."""
        own = self.authority.issue("d.example")
        broken = of_class(ingress_manifest("broken", "c.example", {"/": "none"}))
        self.apply(
            web_ingress("secure", "d.example", tls={"own": ["d.example"]}),
            *(secret_manifest("own", own), broken),
            namespace="shop",
        )
        context = trusting(self.authority.root_pem)
        wait_until(
            lambda: count_names(self.process.folder / "https", context) == 1,
            "the default certificate",
        )
        self.wait_for_addresses("broken", {"ip": BALANCER}, namespace="shop")
        events = ("events.events.k8s.io", "--namespace", "shop", "-o", "name")
        wait_until(lambda: "broken." in self.kubectl.run("get", *events), "the Event")
        # The last replica removes what it has written; the next one tells problems again.
        self.process.stop()
        self.assertEqual(self.addresses("broken", "shop"), [])
        self.process.start()
        wait_until(lambda: "patch events shop" not in self.unused_rights(), "it to be told again")
        self.assertEqual(self.unused_rights(), [])

    def check_rights(self) -> None:
        """IngressClasses belong to no namespace; their names alone decide."""
        refused = self.cluster.audit.refused(self.user())
        self.assertEqual({each.resource for each in refused}, {"ingressclasses"})


class NodeTests(RealClusterTestCase):
    """On bare metal: a DaemonSet on ports of the nodes, whose addresses are written."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.install(folder, FURTHER["bare metal"], is_served=False)
        addresses = [
            {"type": "InternalIP", "address": A},
            {"type": "ExternalIP", "address": BALANCER},
        ]
        cls.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})
        cls.patch_status("node", NODE, {"addresses": addresses})
        cls.process.start()

    def test_served(self) -> None:
        """The external address of the node is shown, and no right is of no use."""
        self.apply(web_ingress(), web_ingress("broken", "b.example"))
        self.wait_for_status(503)
        self.wait_for_addresses("web", {"ip": BALANCER})
        self.assertNotIn("get nodes", self.unused_rights())


class PortTests(RealClusterTestCase):
    """Ports of TCP and UDP services, with two workers."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        values = {
            "controller": {"configuration": {"workers": 2}},
            "tcp": {"5432": "default/web:80"},
            "udp": {"5353": "default/dns:53"},
        }
        cls.install(folder, values)
        cls.answer("a", A)

    def test_open(self) -> None:
        """They lead to the endpoints of their Services, and follow the ConfigMap."""
        self.apply(service_manifest("web"), manual_slice("web", [A]), web_ingress())
        self.wait_for_answer("a")

        def answers(port: int) -> bool:
            return '"name": "a"' in self.process.fetch(f"http://127.0.0.1:{port}/")

        wait_until(lambda: answers(5432), "the port to answer")
        ports = '{"data": {"5432": null, "5433": "default/web:80"}}'
        words = ("configmap", "txingress-tcp", "--namespace", NAMESPACE, "--type=merge")
        self.kubectl.run("patch", *words, "-p", ports)
        wait_until(lambda: answers(5433), "the other port to answer")
        wait_until(lambda: not answers(5432), "the port to be closed")
