"""
The suite that holds of every API server, on a real one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.real_cluster.case import RealClusterTestCase
from tests.support.process import CHECKOUT, ENVIRONMENT
from tests.support.real_cluster import ETCD


class SuiteTests(RealClusterTestCase):
    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.install(folder)
        # Only a server that has started since remembers no changes of the first revisions.
        cls.cluster.stop()
        cls.cluster.start()

    def test_suite(self) -> None:
        """`tests.kube_client_suite` passes within the network of the cluster, with its etcd."""
        kubeconfig = str(self.folder / "kubectl" / "kubeconfig")
        further = {"INGRESS_TEST_KUBECONFIG": kubeconfig, "INGRESS_TEST_ETCD": ETCD}
        name = "tests.fake_api.test_client_suite.RealClusterTests"
        done = subprocess.run(
            [
                *(*self.cluster.network.prefix, sys.executable, "-m", "twisted.trial"),
                *("--temp-directory", str(self.folder / "trial"), name),
            ],
            cwd=CHECKOUT,
            env={**os.environ, **ENVIRONMENT, **further},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        passed = re.search(r"PASSED \((?:skips=0, )?successes=(\d+)\)", done.stdout)
        assert passed is not None, done.stdout
        self.assertGreater(int(passed[1]), 15)
