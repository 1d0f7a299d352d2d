"""
Tests for `ingress.kube.api.service_account`.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.config_file import ConfigError
from ingress.kube.api.credential_files import Material
from ingress.kube.api.kubeconfig import APIAccess
from ingress.kube.api.server import Server
from ingress.kube.api.service_account import load_service_account
from tests.support.certs import CertificateAuthority

CA_PEM = CertificateAuthority().root_pem


class ServiceAccountTests(SynchronousTestCase):
    """In a cluster, the kubelet's folder and the environment have everything."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        for name, content in (("token", b"t\n"), ("ca.crt", CA_PEM), ("namespace", b"ours\n")):
            self.folder.joinpath(name).write_bytes(content)

    def load(self, host: str = "10.96.0.1", port: str = "443") -> APIAccess:
        environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        return load_service_account(environment, self.folder)

    def mistakes(self, *address: str) -> list[str]:
        return str(self.assertRaises(ConfigError, self.load, *address)).splitlines()

    def test_everything(self) -> None:
        """Server, token, CA and namespace; token and CA by their files, which are replaced."""
        self.assertEqual(
            self.load(),
            APIAccess(
                Server("10.96.0.1", 443, ca_pem=CA_PEM),
                Material(token=self.folder / "token"),
                "ours",
                self.folder / "ca.crt",
            ),
        )

    def test_ipv6(self) -> None:
        """An IPv6 address is taken with brackets and without, and has them in the URL."""
        for host in ("fd00:10:96::1", "[fd00:10:96::1]"):
            server = self.load(host, "6443").server
            self.assertEqual(
                (server.host, server.url), ("fd00:10:96::1", "https://[fd00:10:96::1]:6443")
            )

    def test_no_namespace(self) -> None:
        """A token that is mounted by hand may come without a namespace."""
        self.folder.joinpath("namespace").unlink()
        self.assertEqual(self.load().namespace, "default")

    def test_not_in_a_cluster(self) -> None:
        """Without the environment it is no cluster, and what is to be done is said."""
        for address in (("", ""), ("10.96.0.1", ""), ("", "443")):
            (line,) = self.mistakes(*address)
            self.assertEqual(
                line,
                "source.kubernetes: not in a cluster: KUBERNETES_SERVICE_HOST and"
                " KUBERNETES_SERVICE_PORT are not set; set source.kubernetes.kubeconfig to reach a cluster from outside",
            )

    def test_wrong_address(self) -> None:
        """An address that cannot be one is a mistake."""
        self.assertEqual(
            self.mistakes("a b", "0"),
            [
                'source.kubernetes: KUBERNETES_SERVICE_HOST: "a b": an IP address or a host name'
                " is needed",
                'source.kubernetes: KUBERNETES_SERVICE_PORT: "0": a port from 1 to 65535 is needed',
            ],
        )

    def test_missing_files(self) -> None:
        """All missing files are reported at once."""
        for name in ("token", "ca.crt"):
            self.folder.joinpath(name).unlink()
        self.assertEqual(
            self.mistakes(),
            [
                f"source.kubernetes: {self.folder}/{name} cannot be read: No such file or directory"
                for name in ("token", "ca.crt")
            ],
        )

    def test_wrong_files(self) -> None:
        """An empty token and a malformed CA are reported."""
        for name in ("token", "ca.crt"):
            self.folder.joinpath(name).write_bytes(b"\n")
        self.assertEqual(
            self.mistakes(),
            [
                f"source.kubernetes: {self.folder}/token is empty; a token is needed",
                f"{self.folder}/ca.crt: one certificate or more, as PEM is needed",
            ],
        )
