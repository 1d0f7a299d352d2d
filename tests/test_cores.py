"""
Tests of `ingress.cores`.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ingress.cores import usable_cores


class UsableCoresTests(SynchronousTestCase):
    """How many cores a process may use."""

    def test_affinity(self) -> None:
        """A process that is pinned to one core may use one."""
        before = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, before)
        os.sched_setaffinity(0, {min(before)})
        self.assertEqual(usable_cores(), 1)

    def test_quota(self) -> None:
        """A control group with time for one core and a half may use two."""
        if len(os.sched_getaffinity(0)) < 2:
            raise SkipTest("there is one core only")
        cores = len(os.sched_getaffinity(0))
        for quota, expected in (
            ("50000 100000", 1),
            ("150000 100000", 2),
            ("99900000 100000", cores),
            ("max 100000", cores),
            ("nonsense", cores),
        ):
            self.assertEqual(self.cores_of("/pods/pod", {"pods/pod": quota}), expected, quota)

    def test_group_above(self) -> None:
        """The limit of a group holds for all groups in it."""
        self.assertEqual(
            self.cores_of("/pods/pod", {"pods/pod": "max 100000", "pods": "100000 100000"}), 1
        )

    def test_in_container(self) -> None:
        """A container sees its own group as the root, if it sees groups at all."""
        self.assertEqual(self.cores_of("/", {"": "100000 100000"}), 1)
        self.assertEqual(
            usable_cores(Path("/nowhere"), Path("/nowhere/cgroup")),
            len(os.sched_getaffinity(0)),
        )

    def cores_of(self, group: str, limits: dict[str, str]) -> int:
        """
        :param limits: ``cpu.max`` by the path of a group.
        """
        root = Path(self.mktemp())
        for path, limit in limits.items():
            (root / path).mkdir(parents=True, exist_ok=True)
            (root / path / "cpu.max").write_text(f"{limit}\n")
        own = root / "own"
        own.write_text(f"1:cpu:/elsewhere\n0::{group}\n")
        return usable_cores(root, own)
