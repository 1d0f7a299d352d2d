"""
Tests for `ingress.kube.api.server`; URLs are tried in `test_kubeconfig`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.server import Server, parse_server_url


class ServerTests(SynchronousTestCase):
    """The address of a server as a text."""

    def test_url(self) -> None:
        """A URL leads to the server that has it."""
        for url in ("https://a.example:6443", "http://[::1]:8001", "https://10.0.0.1:443/k8s/c"):
            self.assertEqual(parse_server_url(url).url, url)

    def test_local(self) -> None:
        """Addresses of this machine are recognised."""
        for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
            self.assertTrue(Server(host, 1).is_local)
        for host in ("10.0.0.1", "fd00::1", "localhost.example"):
            self.assertFalse(Server(host, 1).is_local)

    def test_not_shown(self) -> None:
        """A CA does not fill the log."""
        self.assertNotIn("BEGIN", repr(Server("a", 1, ca_pem=b"-----BEGIN")))
