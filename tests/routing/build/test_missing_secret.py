"""
Tests for `ingress.routing.build.missing_secret`.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import TLS, Cluster, Config
from ingress.routing.build.missing_secret import why_missing

SECRET = ("default", "web")


class WhyMissingTests(SynchronousTestCase):
    """The fault of a missing Secret."""

    def test_folder(self) -> None:
        """The folder in which the Secret was looked for is named."""
        self.assertEqual(
            why_missing(SECRET, Config(tls=TLS(secrets=Path("/srv/secrets")))),
            "does not exist: neither the manifests nor a folder /srv/secrets/default/web have it",
        )

    def test_no_folder(self) -> None:
        """Without a folder of Secrets none is named."""
        self.assertEqual(why_missing(SECRET, Config()), "does not exist")

    def test_cluster(self) -> None:
        """In a cluster no folder is named, and the right to read the Secret may be missing."""
        in_cluster = Config(cluster=Cluster(), tls=TLS(secrets=Path("/srv/secrets")))
        self.assertEqual(
            why_missing(SECRET, in_cluster), "does not exist, or this proxy may not read it"
        )
