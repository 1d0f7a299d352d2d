"""
The command ``txingress``, also as a plugin of kubectl, with the objects of a real cluster.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import yaml

from tests.real_cluster.case import (
    RealClusterTestCase,
    manual_slice,
    of_class,
    web_ingress,
)
from tests.support.kubectl import find_kubectl
from tests.support.manifest import Manifest, ingress_manifest, service_manifest
from tests.support.process import CHECKOUT, ENVIRONMENT

A = "10.244.1.10"

MIGRATION = CHECKOUT / "tests" / "fixtures" / "migration"
CONTROLLER = "ingress-nginx-controller"


class CommandTests(RealClusterTestCase):
    """They change nothing, so that all share the objects."""

    programs: ClassVar[Path]
    """A folder with the scripts that an installation puts on the path."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.install(folder)
        cls.answer("a", A)
        cls.apply(
            web_ingress(),
            of_class(ingress_manifest("gone", "b.example", {"/": "missing"})),
            *(service_manifest("web"), manual_slice("web", [A])),
        )
        cls.programs = folder / "programs"
        cls.programs.mkdir()
        for name in ("txingress", "kubectl-txingress"):
            file = cls.programs / name
            file.write_text(f'#!/bin/sh\nexec {sys.executable} -m ingress "$@"\n')
            file.chmod(0o755)

    def run_program(self, *command: str) -> tuple[int, str, str]:
        """:return: status, output, remarks."""
        path = f"{self.programs}:{os.environ['PATH']}"
        done = subprocess.run(
            [*self.cluster.network.prefix, *command],
            cwd=CHECKOUT,
            env={**ENVIRONMENT, "PATH": path, "KUBECONFIG": self.kubeconfig},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    @property
    def kubeconfig(self) -> str:
        return str(self.folder / "kubectl" / "kubeconfig")

    def txingress(self, *arguments: str) -> tuple[int, str, str]:
        """The command, with the cluster."""
        return self.run_program("txingress", *arguments, "--kubeconfig", self.kubeconfig)

    def file(self, *manifests: Manifest) -> str:
        file = self.folder / "new.yaml"
        file.write_text(yaml.safe_dump_all(manifests))
        return str(file)

    def test_check(self) -> None:
        """What is wrong in the cluster is found."""
        status, text, remarks = self.txingress("check", "--format", "json")
        self.assertEqual(status, 1, remarks)
        (finding,) = json.loads(text)["findings"]
        self.assertEqual((finding["code"], finding["object"]), ("SVC001", "Ingress default/gone"))

    def test_explain(self) -> None:
        """An answer is explained with the endpoints of the cluster, and without an endpoint."""
        status, text, remarks = self.txingress("explain", "http://a.example/b", "--json")
        self.assertEqual(status, 0, remarks)
        told = json.loads(text)
        self.assertEqual((told["ingress"], told["upstream"]), ("default/web", "default/web:80"))
        self.assertEqual(told["endpoint"], f"{A}:8080")
        status, text, remarks = self.txingress("explain", "http://b.example/")
        self.assertIn("503", text, remarks)

    def test_routes(self) -> None:
        """The rules are listed, by the plugin of kubectl as well."""
        status, text, remarks = self.txingress("routes")
        self.assertEqual(status, 0, remarks)
        self.assertIn("a.example", text)
        words = ("txingress", "routes", "--kubeconfig", self.kubeconfig)
        self.assertEqual(self.run_program(find_kubectl(), *words)[:2], (0, text))

    def test_diff(self) -> None:
        """Files are compared with the cluster as if they were applied."""
        closed = of_class(
            ingress_manifest(
                "web",
                "a.example",
                {"/": "web"},
                annotations={"whitelist-source-range": "10.0.0.0/8"},
            )
        )
        status, text, remarks = self.txingress("diff", self.file(closed))
        self.assertEqual(status, 1, remarks)
        self.assertIn("a.example", text)
        self.assertEqual(self.txingress("diff", self.file(web_ingress()))[0], 0)

    def test_migrate(self) -> None:
        """
        An installation of ingress-nginx in the cluster is read and judged; the manifests of each
        step are accepted, and the Service follows, there and back.
        """
        documents = [
            each
            for name in ("ingress-nginx.yaml", "ingresses.yaml", "secrets.yaml")
            for each in yaml.safe_load_all((MIGRATION / name).read_text())
        ]
        spaces = {each["metadata"].get("namespace") for each in documents} - {None}
        self.add_namespaces(*(spaces - {"default"}))
        hooks = [each for each in documents if each["kind"] == "ValidatingWebhookConfiguration"]
        self.apply(*(each for each in documents if each not in hooks))
        # From now on no Ingress can be changed, because nobody answers for the webhook.
        self.apply(*hooks)
        output = self.folder / "migration"
        status, text, remarks = self.txingress("migrate", "--output", str(output))
        self.assertEqual(status, 0, remarks)
        self.assertIn("Nothing stops working", text)
        selected = []
        for step in ("beside", "instead", "back"):
            # Tried only: the names of cluster roles are those of the release.
            words = ("--server-side", "--validate=strict", "--dry-run=server", "--force-conflicts")
            text = self.kubectl.run("apply", *words, "-o", "json", "-k", str(output / step))
            made = json.loads(text)
            selected.append(
                [
                    each["spec"]["selector"]["app.kubernetes.io/name"]
                    for each in made.get("items", [made])
                    if (each["kind"], each["metadata"]["name"]) == ("Service", CONTROLLER)
                ]
            )
        self.assertEqual(selected, [[], ["txingress"], ["ingress-nginx"]])
