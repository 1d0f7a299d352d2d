"""
The ConfigMap of ingress-nginx in a cluster: rights that are missing, changes, faults, its end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.cluster_case import (
    NAMESPACE,
    READY,
    ClusterTestCase,
    Replica,
    endpoint_slice,
    served_ingress,
)
from tests.support.deploy import DEPLOY, only, written
from tests.support.manifest import config_map_manifest, service_manifest
from tests.support.process import wait_until

NAME = "settings"


class ConfigMapTests(ClusterTestCase):
    """Replicas whose configuration names a ConfigMap."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.prepare_cluster(folder)
        cls.process = cls.make_replica("txingress-0", config_map=f"default/{NAME}")
        cls.process.start()

    def set(self, **data: str) -> None:
        """Replace the data of the ConfigMap; names have _ for -."""
        named = {name.replace("_", "-"): value for name, value in data.items()}
        self.kubectl.apply(config_map_manifest(NAME, named))

    def status(self) -> int:
        return self.process.get().status

    def test_life(self) -> None:
        """It applies when it appears and changes; a bad value, and its end, change nothing."""
        self.kubectl.apply(
            served_ingress("web", "a.example"),
            service_manifest("web"),
            endpoint_slice("web", a=READY),
        )
        wait_until(lambda: self.status() == 200, "the Ingress to be served")
        self.set(whitelist_source_range="192.0.2.0/24")
        wait_until(lambda: self.status() == 403, "the list to apply")
        self.set(whitelist_source_range="nobody")
        self.process.wait_for_line("the last good value still applies", since=self.mark)
        self.assertEqual(self.status(), 403)
        self.kubectl.run("delete", "configmap", NAME)
        self.process.wait_for_line("its last values still apply", since=self.mark)
        self.assertEqual(self.status(), 403)
        self.set(plugins="hello")
        wait_until(lambda: self.status() == 200, "the new one to apply")
        self.process.wait_for_line(r"data\[plugins\]: has no effect", since=self.mark)

    def test_rights(self) -> None:
        """Without the right to read it a replica does not accept, until it has it."""
        self.set(proxy_body_size="1")
        limited = [rule for rule in rules() if "configmaps" not in rule["resources"]]
        self.api.set_token("limited", "limited")
        self.api.grant("limited", *limited)
        kubeconfig = self.api.kubeconfig("limited", NAMESPACE)
        replica = Replica(
            self.folder / "limited", self.network, kubeconfig, config_map=f"default/{NAME}"
        )
        self.addCleanup(replica.stop)
        replica.spawn()
        replica.wait_for_line(rf"may not read ConfigMap default/{NAME}: grant")
        notes = replica.get("/readyz", "localhost", "admin")
        self.assertEqual(notes.status, 503)
        self.assertRegex(notes.text, "configmaps.* has not been read yet|ConfigMap.* not been read")
        self.api.grant("limited", *rules())
        replica.wait_for_line(r"listen\.https on ")
        self.assertEqual(replica.get().status, 404)


def rules() -> list[dict[str, Any]]:
    """Those of the ClusterRole of etc/deploy."""
    role = only(written(DEPLOY), "ClusterRole")
    found: list[dict[str, Any]] = role["rules"]
    return found
