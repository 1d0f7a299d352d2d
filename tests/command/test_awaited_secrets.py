"""
Tests for `ingress.command.awaited_secrets`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.support.command import run

SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "shop-tls"},
    "type": "kubernetes.io/tls",
    "stringData": {"tls.crt": "nonsense", "tls.key": "nonsense"},
}
ISSUER = "cert-manager.io/issuer"
CLUSTER_ISSUER = "cert-manager.io/cluster-issuer"


def shop(annotations: dict[str, str], *tls: dict[str, Any]) -> dict[str, Any]:
    """An Ingress with a default backend, whose Service is not there either."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "shop", "annotations": annotations},
        "spec": {
            "tls": list(tls) or [{"hosts": ["shop.example"], "secretName": "shop-tls"}],
            "rules": [{"host": "shop.example"}],
            "defaultBackend": {"service": {"name": "web", "port": {"number": 80}}},
        },
    }


class AwaitedSecretTests(SynchronousTestCase):
    def write(self, *objects: object) -> Path:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "all.yaml").write_text(yaml.safe_dump_all(objects))
        return folder

    def found(self, *arguments: str) -> list[tuple[str, str]]:
        """Severity and message of each TLS001."""
        text = run("check", *arguments, "--format", "json")[1]
        return [
            (each["severity"], each["message"])
            for each in json.loads(text)["findings"]
            if each["code"] == "TLS001"
        ]

    def severities(self, *objects: object) -> list[str]:
        return [severity for severity, _ in self.found(str(self.write(*objects)))]

    def test_awaited(self) -> None:
        """A Secret that cert-manager will make is a note that says so, and by which annotation."""
        for asked, named in (
            ({ISSUER: "local"}, f'({ISSUER}: "local")'),
            ({CLUSTER_ISSUER: "letsencrypt"}, f'({CLUSTER_ISSUER}: "letsencrypt")'),
            ({"kubernetes.io/tls-acme": "true"}, "(kubernetes.io/tls-acme: true)"),
        ):
            ((severity, message),) = self.found(str(self.write(shop(asked))))
            self.assertEqual(severity, "note", asked)
            self.assertIn(f"cert-manager makes it in the cluster {named}", message)
            self.assertIn("until then the default certificate is served", message)

    def test_not_asked_for(self) -> None:
        """It is an error where cert-manager makes none."""
        for asked in (
            {},
            {ISSUER: ""},
            {ISSUER: "a", CLUSTER_ISSUER: "b"},
            {"kubernetes.io/tls-acme": "false"},
            {"cert-manager.io/issuer-kind": "Issuer"},
        ):
            self.assertEqual(self.severities(shop(asked)), ["error"], asked)

    def test_entries(self) -> None:
        """An entry without hosts gets none, nor do two that name the same Secret."""
        asked = {ISSUER: "local"}
        self.assertEqual(self.severities(shop(asked, {"secretName": "shop-tls"})), ["error"])
        twice = [{"hosts": [f"{name}.example"], "secretName": "shop-tls"} for name in ("a", "b")]
        self.assertEqual(self.severities(shop(asked, *twice)), ["error", "error"])
        good, bad = twice[0], {"secretName": "other"}
        self.assertEqual(sorted(self.severities(shop(asked, bad, good))), ["error", "note"])

    def test_unusable(self) -> None:
        """A Secret that is there, and has no certificate, stays an error."""
        self.assertEqual(self.severities(shop({ISSUER: "local"}), SECRET), ["error"])

    def test_served(self) -> None:
        """Of what a configuration serves the Secret is missing; files in its place await it."""
        folder = self.write(shop({ISSUER: "local"}))
        config = folder / "ingress.yaml"
        config.write_text("source: {files: [all.yaml]}")
        ((severity, message),) = self.found("--config", str(config))
        self.assertEqual(severity, "error")
        self.assertIn("does not exist", message)
        ((severity, _),) = self.found("--config", str(config), str(folder / "all.yaml"))
        self.assertEqual(severity, "note")
