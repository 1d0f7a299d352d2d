"""Tests of `ingress.telemetry.vitals`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ingress.telemetry.vitals import Connections, own_usage, own_vitals
from tests.support.process import CHECKOUT, ENVIRONMENT, PATIENCE


class VitalsTests(SynchronousTestCase):
    def test_memory(self) -> None:
        """Memory is in bytes: an interpreter takes megabytes, and reserves more than it uses."""
        vitals = own_vitals(Connections(1, 2, 3))
        self.assertGreater(vitals.memory, 1 << 20)
        self.assertGreater(vitals.virtual_memory, vitals.memory)
        self.assertLess(vitals.virtual_memory, 1 << 44)
        self.assertEqual(vitals.connections, Connections(1, 2, 3))

    def test_start(self) -> None:
        """The start of a process is between that of its parent and now."""
        command = (
            "from ingress.telemetry.vitals import Connections, own_vitals; "
            "print(own_vitals(Connections()).started_at)"
        )
        before = time.time()
        printed = subprocess.check_output(
            [sys.executable, "-c", command], env=ENVIRONMENT, cwd=CHECKOUT, timeout=PATIENCE
        )
        # A tick of the system's clock is a hundredth of a second.
        self.assertGreater(float(printed), before - 0.1)
        self.assertLess(float(printed), time.time() + 0.1)
        self.assertLess(own_vitals(Connections()).started_at, before)


class UsageTests(SynchronousTestCase):
    def test_written(self) -> None:
        """Bytes that are written to storage are counted."""
        before = own_usage()
        with Path(self.mktemp()).open("wb") as file:
            file.write(bytes(1 << 20))
            file.flush()
            os.fsync(file.fileno())
            after = own_usage()
        if after.written_bytes == before.written_bytes:
            raise SkipTest("files here are in memory")
        self.assertGreaterEqual(after.written_bytes - before.written_bytes, 1 << 20)
        self.assertGreater(after.cpu_seconds, 0)
