"""
Certificates by CertificateSigningRequest on a real API server, which people approve with kubectl.
"""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

from tests.real_cluster.case import RealClusterTestCase, web_ingress
from tests.support.certs import CertificateAuthority
from tests.support.client import count_names, trusting
from tests.support.manifest import service_manifest
from tests.support.process import CHECKOUT, ENVIRONMENT, PATIENCE, wait_until

SIGNER = "example.com/ingress"


class SigningTests(RealClusterTestCase):
    """The test is the signer; the rights are those that ``rbac.certificates`` gives."""

    authority: ClassVar[CertificateAuthority]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        signers = {"configuration": {"certificate-signers": [SIGNER]}}
        cls.install(folder, {"controller": signers, "rbac": {"certificates": True}})
        cls.authority = CertificateAuthority()

    def requests(self) -> dict[str, Any]:
        """Those that wait, by the Secret that each is for."""
        found = self.kubectl.get("csr")["items"]
        return {
            each["metadata"]["annotations"].get("txingress.dev/secret", ""): each
            for each in found
            if not each["status"]
        }

    def wait_for_request(self, secret: str) -> Any:
        wait_until(lambda: secret in self.requests(), f"a request for {secret}")
        return self.requests()[secret]

    def sign(self, request: Any) -> None:
        """Approve it as people do, and sign it as a signer does."""
        name = request["metadata"]["name"]
        self.kubectl.run("certificate", "approve", name)
        chain = self.authority.sign(base64.b64decode(request["spec"]["request"]))
        self.patch_status("csr", name, {"certificate": base64.b64encode(chain).decode()})

    def test_ingress(self) -> None:
        """
        The leader asks for the certificate of an Ingress, keeps what the signer gives and serves
        it; one that is denied is told, and the Secret of somebody else is left alone.
        """
        annotation = {"txingress.dev/certificate-signer": SIGNER}
        theirs = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "theirs"},
            "type": "kubernetes.io/tls",
            "data": {"tls.crt": "", "tls.key": ""},
        }
        self.apply(
            theirs,
            web_ingress("a", "g.example", tls={"theirs": ["g.example"]}, annotations=annotation),
            service_manifest("web"),
            web_ingress(tls={"web-tls": ["a.example"]}, annotations=annotation),
            web_ingress("no", "b.example", tls={"no-tls": ["b.example"]}, annotations=annotation),
        )
        request = self.wait_for_request("default/web-tls")
        self.assertEqual(request["spec"]["username"], self.user())
        self.assertEqual(request["spec"]["signerName"], SIGNER)
        self.sign(request)
        context = trusting(self.authority.root_pem)
        wait_until(
            lambda: count_names(self.process.folder / "https", context) == 1, "the certificate"
        )
        made = self.kubectl.get("secret", "web-tls")
        self.assertEqual(made["type"], "kubernetes.io/tls")
        self.assertEqual(made["metadata"]["labels"]["app.kubernetes.io/managed-by"], "txingress")
        wait_until(lambda: "CertificateIssued" in self.events("web"), "the Event")
        denied = self.wait_for_request("default/no-tls")["metadata"]["name"]
        self.kubectl.run("certificate", "deny", denied)
        wait_until(lambda: "CertificateFailed" in self.events("no"), "the denial to be told")

        # Another host: the Secret is replaced.
        both = {"web-tls": ["a.example", "c.example"]}
        ingress: Any = web_ingress(tls=both, annotations=annotation)
        rule = {**ingress["spec"]["rules"][0], "host": "c.example"}
        ingress["spec"]["rules"].append(rule)
        self.apply(ingress)
        self.sign(self.wait_for_request("default/web-tls"))
        wait_until(
            lambda: count_names(self.process.folder / "https", context) == 2, "the new certificate"
        )
        # Not wanted any more.
        self.apply(
            web_ingress("gone", "d.example", tls={"d-tls": ["d.example"]}, annotations=annotation)
        )
        self.wait_for_request("default/d-tls")
        self.assertNotIn("default/theirs", self.requests())
        self.kubectl.run("delete", "ingress", "gone")
        wait_until(lambda: "default/d-tls" not in self.requests(), "the request to be removed")
        roles = [each["metadata"]["name"] for each in self.release.all("ClusterRole")]
        names = [each for each in roles if "-certificate-" in each]
        self.assertEqual(len(names), 2)
        self.assertEqual(self.unused_rights(*names), [])

    def certificate(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin ``txingress certificate`` as the administrator."""
        kubeconfig = self.folder / "kubectl" / "kubeconfig"
        process = subprocess.Popen(
            [
                *(*self.cluster.network.prefix, sys.executable, "-m", "ingress", "certificate"),
                *("--kubeconfig", str(kubeconfig), *arguments),
            ],
            cwd=CHECKOUT,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.kill)
        return process

    def asked(self, process: subprocess.Popen[str]) -> Any:
        """The request that the command waits for."""
        assert process.stderr is not None
        said = re.search(r"kubectl certificate approve (\S+)", process.stderr.readline())
        assert said is not None
        return self.kubectl.get("csr", said[1])

    def test_command(self) -> None:
        """The command makes a Secret, for hosts that are too long for a common name as well."""
        long = f"{'e' * 63}.{'f' * 63}.example"
        process = self.certificate(long, "e.example", "--signer", SIGNER, "--secret", "e-tls")
        self.sign(self.asked(process))
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, err)
        self.assertIn("Secret default/e-tls is for ", out)

    def test_refused_by_signer(self) -> None:
        """
        The controllers have a signer for clients of the API server, which refuses certificates
        of servers: its reason is told.
        """
        self.cluster.need_controllers()
        signer = "kubernetes.io/kube-apiserver-client"
        process = self.certificate("f.example", "--signer", signer, "--secret", "f-tls")
        name = self.asked(process)["metadata"]["name"]
        self.kubectl.run("certificate", "approve", name)
        _, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 2, err)
        self.assertIn("failed (SignerValidationFailure", err)
