"""
The page about cert-manager: its manifests, and what it says that `txingress explain` shows.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.support.cert_manager import Challenge, solver_ingress, solver_service
from tests.support.command import run
from tests.support.process import CHECKOUT

CLASS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "IngressClass",
    "metadata": {"name": "twisted"},
    "spec": {"controller": "txingress.dev/ingress"},
}


class CertManagerPageTests(SynchronousTestCase):
    """docs/cert-manager.md: what `txingress explain` says of the Ingress on it."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        text = (CHECKOUT / "docs" / "cert-manager.md").read_text()
        found = [yaml.safe_load(each) for each in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
        self.issuer, self.ingress = found
        self.challenge = Challenge("shop.example", class_name="twisted")

    def explain(self, *objects: object) -> str:
        (self.folder / "all.yaml").write_text(yaml.safe_dump_all([CLASS, self.ingress, *objects]))
        (self.folder / "ingress.yaml").write_text(
            "source: {files: [all.yaml]}\nclass: {name: twisted}\n"
            "listen: {http: tcp:8080, https: tcp:8443}\n"
        )
        config = str(self.folder / "ingress.yaml")
        status, output, _ = run("explain", "--config", config, self.challenge.url)
        self.assertEqual(status, 0)
        return output

    def test_class(self) -> None:
        """Issuer and Ingress name the same one; a solver of another class is not among the rules."""
        (solver,) = self.issuer["spec"]["acme"]["solvers"]
        name = solver["http01"]["ingress"]["ingressClassName"]
        self.assertEqual(name, self.ingress["spec"]["ingressClassName"])
        output = self.explain(solver_ingress(replace(self.challenge, class_name="other")))
        self.assertRegex(output, r"(?m)^rules +> Prefix / of default/shop .*decides$")
        self.assertIn("Secret default/shop-tls does not exist", output)

    def test_check(self) -> None:
        """In a pull request its Secret is a note: nobody has to have it in the repository."""
        (self.folder / "all.yaml").write_text(yaml.safe_dump_all([CLASS, self.ingress]))
        output = run("check", str(self.folder / "all.yaml"))[1]
        self.assertRegex(output, r"(?m): TLS001 note .*cert-manager makes it in the cluster ")

    def test_no_endpoint(self) -> None:
        """A pod that does not run is 503, whatever the Ingress of the host says."""
        output = self.explain(solver_ingress(self.challenge), solver_service(self.challenge))
        self.assertIn("-> 503 no_endpoint: The Service has no endpoint.", output)
