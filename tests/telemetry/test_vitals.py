"""Tests of `ingress.telemetry.vitals`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.telemetry.vitals import resident_memory


class ResidentMemoryTests(SynchronousTestCase):
    def test_bytes(self) -> None:
        """It is in bytes: an interpreter takes megabytes, and not terabytes."""
        self.assertGreater(resident_memory(), 1 << 20)
        self.assertLess(resident_memory(), 1 << 40)
