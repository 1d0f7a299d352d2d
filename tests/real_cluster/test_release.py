"""
A release of the chart in a real cluster, as Helm keeps it: installed, upgraded, taken back, removed.
"""

from __future__ import annotations

from pathlib import Path

from tests.real_cluster.case import NAMESPACE, RealClusterTestCase, web_ingress
from tests.support.process import wait_until

KINDS = (
    "deployments,services,configmaps,roles,rolebindings,serviceaccounts,networkpolicies,"
    "poddisruptionbudgets,horizontalpodautoscalers,clusterroles,clusterrolebindings,ingressclasses"
)
"""Of all objects of the chart."""


class ReleaseTests(RealClusterTestCase):
    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.install(folder)

    def names(self) -> set[str]:
        """The objects of the release in the cluster."""
        words = ("-l", "app.kubernetes.io/managed-by=Helm", "-o", "name")
        return set(self.kubectl.run("get", KINDS, "--namespace", NAMESPACE, *words).split())

    def test_life(self) -> None:
        """
        An upgrade applies while the proxy runs, and so does the way back; uninstalled, it leaves
        nothing but its Lease.
        """
        first = self.names()
        self.assertEqual(len(first), len(self.release.documents), first)
        self.apply(web_ingress())
        self.wait_for_status(503)
        fields = {"controller": {"addHeaders": {"X-Own": "new"}, "replicaCount": 3}}
        self.helm.run("upgrade", fields)
        self.process.deliver(self.config())
        wait_until(lambda: self.process.get().field("X-Own") == "new", "the upgrade to apply")
        deployment = self.kubectl.get("deployment", "txingress", "--namespace", NAMESPACE)
        self.assertEqual(deployment["spec"]["replicas"], 3)
        self.assertNotEqual(self.names(), first)
        self.helm.run("rollback")
        self.process.deliver(self.config())
        wait_until(lambda: self.process.get().field("X-Own") is None, "the way back to apply")
        self.assertEqual(self.names(), first)
        self.assertEqual(len(self.helm.run("history")), 3)
        self.check_rights()
        self.process.stop()
        self.helm.run("uninstall")
        self.assertEqual(self.names(), set())
        self.assertEqual(self.holder(), "")
        self.helm.run("install")
        self.process.renew_token()
        self.process.start()
        self.wait_for_status(503)
