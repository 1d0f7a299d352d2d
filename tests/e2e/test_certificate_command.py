"""
``txingress certificate`` as people use it: with kubectl, and a signer.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.certs import CertificateAuthority
from tests.support.fake_api import FakeAPIProcess
from tests.support.kubectl import Kubectl
from tests.support.process import CHECKOUT, ENVIRONMENT, PATIENCE

SIGNER = "example.com/ingress"


class CertificateCommandTests(SynchronousTestCase):
    """The real command and the real kubectl; the test is the signer."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.api = FakeAPIProcess(self.folder / "api.log")
        self.addCleanup(self.api.close)
        self.kubectl = Kubectl(self.folder / "kubectl", self.api.kubeconfig())
        self.authority = CertificateAuthority()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        kubeconfig = self.folder / "kubectl" / "kubeconfig"
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "ingress", "certificate", "a.example"),
                *("--signer", SIGNER, "--kubeconfig", str(kubeconfig), *arguments),
            ],
            cwd=CHECKOUT,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.kill)
        return process

    def approve_and_sign(self, process: subprocess.Popen[str]) -> None:
        """
        Do what the command says that people have to do, and what the signer does. kubectl approves
        in protobuf, which the server of the tests does not read.
        """
        assert process.stderr is not None
        said = re.search(r"kubectl certificate approve (\S+)", process.stderr.readline())
        assert said is not None
        request = json.loads(self.kubectl.run("get", "csr", said[1], "-o", "json"))
        self.assertIn("txingress.dev/hosts=a.example", self.kubectl.run("describe", "csr", said[1]))
        self.assertEqual(request["spec"]["signerName"], SIGNER)
        certificate = self.authority.sign(base64.b64decode(request["spec"]["request"]))
        request["status"] = {
            "conditions": [{"type": "Approved", "status": "True", "reason": "KubectlApprove"}],
            "certificate": base64.b64encode(certificate).decode(),
        }
        self.api.put(request)

    def end(self, process: subprocess.Popen[str], status: int, part: str) -> None:
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, status, err)
        self.assertIn(part, err if status else out)

    def test_secret(self) -> None:
        """A Secret is made, kept while it lasts, renewed, and never taken from others."""
        secret = ("--secret", "web-tls")
        process = self.start(*secret)
        self.approve_and_sign(process)
        self.end(process, 0, "Secret default/web-tls is for a.example until ")
        made = self.api.get("v1", "Secret", "web-tls")
        assert made is not None
        self.end(self.start(*secret, "--renew-before", "1d"), 0, "kept")
        process = self.start(*secret, "--renew-before", "60d")
        self.approve_and_sign(process)
        self.end(process, 0, "until")
        renewed = self.api.get("v1", "Secret", "web-tls")
        assert renewed is not None
        self.assertNotEqual(made["data"], renewed["data"])

        self.kubectl.run("label", "secret", "web-tls", "app.kubernetes.io/managed-by-")
        self.end(self.start(*secret), 2, "--force replaces it")
        process = self.start("--folder", str(self.folder / "tls"))
        self.approve_and_sign(process)
        self.end(process, 0, "tls is for a.example until ")
        self.assertIn("PRIVATE", (self.folder / "tls" / "tls.key").read_text())
