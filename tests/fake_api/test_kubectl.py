"""
The real kubectl takes the fake for an API server, over TLS.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.fake_api import FakeAPIProcess
from tests.support.kubectl import Kubectl, find_kubectl
from tests.support.manifest import ingress_manifest, service_manifest


class KubectlTests(SynchronousTestCase):
    """Commands of operators."""

    def setUp(self) -> None:
        find_kubectl()
        self.folder = Path(tempfile.mkdtemp(prefix="ingress-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.server = FakeAPIProcess(self.folder / "server.log")
        self.addCleanup(self.server.close)
        self.kubectl = Kubectl(self.folder, self.server.kubeconfig())

    def test_life(self) -> None:
        """Objects are applied, applied again with changes, shown, and deleted."""
        web, service = ingress_manifest("web", "a.example", {"/": "web"}), service_manifest("web")
        said = self.kubectl.apply(web, service)
        self.assertEqual(said.count(" created"), 2, said)
        self.assertEqual(self.kubectl.apply(web).count(" unchanged"), 1)
        said = self.kubectl.apply(ingress_manifest("web", "b.example", {"/": "web"}))
        self.assertIn("configured", said)
        found = self.kubectl.get("ingress", "web")
        self.assertEqual(found["spec"]["rules"][0]["host"], "b.example")
        said = self.kubectl.apply(web, arguments=["--server-side", "--force-conflicts"])
        self.assertIn("serverside-applied", said)
        self.assertIn("deleted", self.kubectl.run("delete", "ingress", "web"))
        self.assertEqual(self.kubectl.get("ingress")["items"], [])

    def test_shown(self) -> None:
        """The address is a column, and events are shown with their object."""
        self.kubectl.apply(ingress_manifest("web", "a.example", {"/": "web"}))
        status = '{"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.10"}]}}}'
        patch = ("--subresource=status", "--type=merge", "-p", status)
        self.kubectl.run("patch", "ingress", "web", *patch)
        head, row = self.kubectl.run("get", "ingress").splitlines()
        self.assertEqual(head.split(), ["NAME", "CLASS", "HOSTS", "ADDRESS", "PORTS", "AGE"])
        self.assertEqual(row.split()[:5], ["web", "<none>", "a.example", "192.0.2.10", "80"])
        uid = self.kubectl.get("ingress", "web")["metadata"]["uid"]
        regarding = {"kind": "Ingress", "namespace": "default", "name": "web", "uid": uid}
        self.server.put(
            {
                "apiVersion": "events.k8s.io/v1",
                "kind": "Event",
                "metadata": {"name": "e"},
                "eventTime": "2026-11-23T01:00:00.000000Z",
                "reportingController": "example.com/a",
                "reportingInstance": "a-0",
                "action": "Sync",
                "reason": "Odd",
                "type": "Warning",
                "note": "It is odd.",
                "regarding": regarding,
            }
        )
        said = self.kubectl.run("describe", "ingress", "web")
        self.assertIn("Address:          192.0.2.10", said)
        self.assertRegex(said, r"Warning +Odd .* example\.com/a +It is odd\.")

    def test_outage(self) -> None:
        """A server that restarts has what it had; one that is gone is refused."""
        self.kubectl.apply(service_manifest("web"))
        self.server.restart()
        self.assertEqual(len(self.kubectl.get("services")["items"]), 1)
        self.server.stop()
        error = self.assertRaises(AssertionError, self.kubectl.get, "services")
        self.assertIn("refused", str(error))
