"""
Requests to the address of a Service in place of its endpoints (``service-upstream``).
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from tests.e2e.case import ProcessTestCase
from tests.support.endpoints import EchoEndpoint
from tests.support.manifest import ingress_manifest, served_manifests


class ServiceUpstreamTests(ProcessTestCase):
    """One Service, which two Ingresses reach in two ways."""

    pod: ClassVar[EchoEndpoint]
    address: ClassVar[EchoEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.pod, cls.address = cls.echo("pod"), cls.echo("address")
        service, *rest = served_manifests("web", cls.pod.port)
        # Ingresses name the port by its target, because 80 is not ours to listen on.
        ports = [{"port": cls.address.port, "targetPort": 80}]
        service["spec"] = {"clusterIP": "127.0.0.1", "ports": ports}
        by_address = {"service-upstream": "true", "upstream-vhost": "web.internal"}
        ingresses = [
            ingress_manifest("one", "a.example", {"/": "web"}, annotations=by_address),
            ingress_manifest("two", "b.example", {"/": "web"}),
        ]
        cls.serve(folder, *ingresses, service, *rest)

    def test_both(self) -> None:
        """Each Ingress has its way."""
        reply = self.get(host="a.example")
        self.assertEqual(reply.echo["name"], "address")
        self.assertIn(["Host", "web.internal"], reply.echo["fields"])
        self.assertEqual(self.get(host="b.example").echo["name"], "pod")
