"""
Tests for `ingress.config`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, FilesSource, Listen, PublicPorts, changed_needing_restart


class ChangedNeedingRestartTests(SynchronousTestCase):
    """Some keys do not apply to a process that runs."""

    def test_restart(self) -> None:
        """A change to listen, source or workers needs a restart."""
        new = Config(
            listen=Listen(http=("tcp:80",)), source=FilesSource(paths=(Path("/"),)), workers=2
        )
        self.assertEqual(changed_needing_restart(Config(), new), ("listen", "source", "workers"))

    def test_live(self) -> None:
        """Every other change applies live, and so does none."""
        old = Config()
        new = replace(old, public_ports=PublicPorts(http=8080), hsts=None, ssl_redirect=False)
        self.assertEqual(changed_needing_restart(old, new), ())
        self.assertEqual(changed_needing_restart(old, old), ())
