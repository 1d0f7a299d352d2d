"""
The command ``txingress`` with the objects of a cluster: the real client and a real API server.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.support.fake_api import FakeAPIProcess
from tests.support.manifest import (
    Manifest,
    ingress_manifest,
    opaque_manifest,
    service_manifest,
)
from tests.support.process import CHECKOUT, ENVIRONMENT

CLASS: Manifest = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "IngressClass",
    "metadata": {"name": "twisted"},
    "spec": {"controller": "txingress.dev/ingress"},
}
SLICE: Manifest = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["192.0.2.1"]}],
    "ports": [{"port": 8080}],
}
USERS = opaque_manifest("users", auth="alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=")
BASIC = {"auth-type": "basic", "auth-secret": "users"}


def of_class(manifest: Manifest) -> Manifest:
    """:return: the same Ingress, of the class that is served."""
    spec = manifest["spec"]
    assert isinstance(spec, dict)
    return {**manifest, "spec": {**spec, "ingressClassName": "twisted"}}


class ClusterCommandTests(SynchronousTestCase):
    """One API server; a process for each command, since it runs the reactor."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.api = FakeAPIProcess(self.folder / "api.log")
        self.addCleanup(self.api.close)
        self.kubeconfig = self.folder / "kubeconfig"
        self.kubeconfig.write_text(self.api.kubeconfig())

    def txingress(self, *arguments: str) -> tuple[int, str, str]:
        """:return: status, output, remarks."""
        process = subprocess.run(
            [sys.executable, "-m", "ingress", *arguments, "--kubeconfig", str(self.kubeconfig)],
            cwd=CHECKOUT,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return process.returncode, process.stdout, process.stderr

    def file(self, *manifests: Manifest) -> str:
        file = self.folder / "new.yaml"
        file.write_text(yaml.safe_dump_all(manifests))
        return str(file)

    def test_cluster(self) -> None:
        """A cluster is checked, and files are compared with it as if they were applied."""
        web = of_class(ingress_manifest("web", "a.example", {"/": "web"}))
        self.api.put(
            CLASS,
            web,
            of_class(ingress_manifest("gone", "b.example", {"/": "missing"})),
            service_manifest("web"),
            SLICE,
            USERS,
        )
        status, text, remarks = self.txingress("check", "--format", "json")
        self.assertEqual(status, 1, remarks)
        (finding,) = json.loads(text)["findings"]
        self.assertEqual((finding["code"], finding["severity"]), ("SVC001", "error"))
        self.assertEqual(finding["object"], "Ingress default/gone")
        self.assertIsNone(finding["file"])

        closed = of_class(
            ingress_manifest("web", "a.example", {"/": "web", "/b": "web"}, annotations=BASIC)
        )
        status, text, remarks = self.txingress("diff", self.file(closed))
        self.assertEqual(status, 1, remarks)
        self.assertIn("a.example/*: + basic-auth", text)
        self.assertNotIn("b.example", text)
        self.assertNotIn("503", text)

        self.assertEqual(
            self.txingress("diff", self.file(web))[:2], (0, "Nothing changes for clients.\n")
        )

    def test_unreachable(self) -> None:
        """An API server that is not there is told at once, with its address."""
        self.api.stop()
        status, _, remarks = self.txingress("routes")
        self.assertEqual(status, 2)
        self.assertIn("https://127.0.0.1:", remarks)
