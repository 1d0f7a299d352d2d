"""
The chart in a cluster: the process runs with the configuration and the rights that it makes.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, ClassVar

from tests.chart.test_objects import FURTHER
from tests.e2e.case import ProcessTestCase
from tests.support.chart import Rendering, Values
from tests.support.chart_process import ADDRESS, NAMESPACE, ChartProcess, install
from tests.support.fake_api import FakeAPIProcess
from tests.support.manifest import ingress_manifest, service_manifest
from tests.support.process import PATIENCE, wait_until


class ReleaseCase(ProcessTestCase):
    """A replica of a release."""

    api: ClassVar[FakeAPIProcess]

    @classmethod
    def install(cls, folder: Path, values: Values) -> None:
        rendering = Rendering(values)
        cls.api = FakeAPIProcess(folder / "api.log")
        cls.resources.callback(cls.api.close)
        cls.api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        install(cls.api, rendering)
        cls.process = ChartProcess(folder / "txingress-0", cls.api, rendering)
        cls.resources.callback(cls.process.stop)
        cls.process.start()

    def address(self, name: str, namespace: str = "default") -> list[dict[str, Any]]:
        found = self.api.get("networking.k8s.io/v1", "Ingress", name, namespace) or {}
        listed: list[dict[str, Any]] = (
            found.get("status", {}).get("loadBalancer", {}).get("ingress", [])
        )
        return listed

    def check_rights(self) -> None:
        """Nothing that it asked for was refused."""
        self.assertTrue(self.api.requests)
        refused = [each for each in self.api.requests if each["code"] in (401, 403)]
        self.assertEqual(refused, [])
        self.assertNotIn("API001", self.process.log)


class ChartTests(ReleaseCase):
    """With values of ingress-nginx."""

    port: ClassVar[int]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        resource = {"name": "nginx", "controllerValue": "k8s.io/ingress-nginx"}
        values = {
            "addHeaders": {"X-Installed-By": "Helm"},
            "ingressClassResource": resource,
            "watchIngressWithoutClass": True,
        }
        with socket.create_server(("127.0.0.1", 0)) as bound:
            cls.port = bound.getsockname()[1]
        cls.install(folder, {"controller": values, "tcp": {str(cls.port): "default/web:80"}})

    def test_serves(self) -> None:
        """
        It serves the class of the values, and Ingresses without one; it writes the address of the
        chart's Service to them, by the chart's Lease; the keys of ingress-nginx apply.
        """
        of_class = ingress_manifest("web", "a.example", {"/": "web"})
        spec = of_class["spec"]
        assert isinstance(spec, dict)
        spec["ingressClassName"] = "nginx"
        without = ingress_manifest("other", "b.example", {"/": "web"})
        self.api.put(of_class, without, service_manifest("web"))
        wait_until(lambda: self.get(host="a.example").status == 503, "the Ingress to be served")
        wait_until(lambda: self.get(host="b.example").status == 503, "the other one to be served")
        wait_until(lambda: self.address("web") == [{"ip": ADDRESS}], "its address")
        wait_until(lambda: self.address("other") == [{"ip": ADDRESS}], "the address of the other")
        self.assertEqual(self.get().field("X-Installed-By"), "Helm")
        lease = self.api.get("coordination.k8s.io/v1", "Lease", "txingress-leader", NAMESPACE)
        assert lease is not None
        self.assertIn("txingress-0", lease["spec"]["holderIdentity"])

        self.check_rights()

    def test_forwarded(self) -> None:
        """A port of the value tcp is open, by the ConfigMap that the chart makes of it."""

        def is_open() -> bool:
            try:
                socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
            except ConnectionRefusedError:
                return False
            return True

        wait_until(is_open, "the port to be open")


class ScopedTests(ReleaseCase):
    """With one namespace, and Roles alone."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        values = FURTHER["scoped"]
        config = {"addHeaders": {"X-Installed-By": "Helm"}}
        cls.install(folder, {**values, "controller": {**values["controller"], **config}})

    def test_serves(self) -> None:
        """Its Ingresses are served, with its ConfigMap and its address, and no others."""
        for namespace, host in (("shop", "a.example"), ("default", "b.example")):
            web, service = ingress_manifest("web", host, {"/": "web"}), service_manifest("web")
            for each in (web, service):
                each["metadata"] = {"name": "web", "namespace": namespace}
            web["spec"] = {**web["spec"], "ingressClassName": "twisted"}  # type: ignore[dict-item]
            self.api.put(web, service)
        wait_until(lambda: self.get(host="a.example").status == 503, "the Ingress to be served")
        wait_until(lambda: self.address("web", "shop") == [{"ip": ADDRESS}], "its address")
        self.assertEqual(self.get(host="b.example").status, 404)
        self.assertEqual(self.get().field("X-Installed-By"), "Helm")
        refused = {each["resource"] for each in self.api.requests if each["code"] in (401, 403)}
        # Cluster-scoped: their names alone decide.
        self.assertEqual(refused, {"ingressclasses"})
