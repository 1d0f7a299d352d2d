"""
The soak of ``python -m benchmarks.soak`` in short: what is to last for days lasts some seconds.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.soak import soak

SECONDS = 5.0


class SoakTests(SynchronousTestCase):
    def test_short(self) -> None:
        """Under load and with changes all the time, no request fails and nothing leaks."""
        folder = Path(tempfile.mkdtemp(prefix="soak-"))
        self.addCleanup(shutil.rmtree, folder)
        outcome = soak(SECONDS, folder)
        self.assertEqual(outcome.faults, [], "\n".join(outcome.report()))
        for kind in (
            *("small, http", "small, https", "small, HTTP/2", "upload", "download"),
            *("large, HTTP/2", "WebSocket", "WebSocket, HTTP/2", "gRPC", "aborted"),
            *("TCP", "UDP"),
        ):
            self.assertGreater(outcome.tally.requests[kind], 0, kind)
        self.assertGreater(outcome.changes, 0)
        self.assertGreater(outcome.deaths, 0)
