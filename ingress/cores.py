"""
How many processor cores this process may use.
"""

from __future__ import annotations

import os
from math import ceil
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
"""Where version 2 of control groups is mounted."""

OWN_CGROUP = Path("/proc/self/cgroup")


def usable_cores(cgroups: Path = CGROUPS, own: Path = OWN_CGROUP) -> int:
    """
    Those that the process is allowed to run on, but no more than what its control
    group, such as a container's, gives it time for; at least one.

    :param own: names the control group of this process.
    """
    return max(1, min(len(os.sched_getaffinity(0)), _quota(cgroups, own)))


def _quota(cgroups: Path, own: Path) -> int:
    """The cores whose time the group may use, rounded up; very many without a limit."""
    group = _find_group(cgroups, own)
    quotas = [_quota_of(folder / "cpu.max") for folder in (group, *group.parents)]
    return min(quotas)


def _find_group(cgroups: Path, own: Path) -> Path:
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return cgroups
    # ``0::/PATH`` is the group of version 2; in a container PATH is that inside of it.
    path = next((line[3:] for line in lines if line.startswith("0::")), "/")
    return cgroups / path.lstrip("/")


def _quota_of(file: Path) -> int:
    """``QUOTA PERIOD`` in microseconds, or ``max PERIOD``."""
    try:
        quota, period = file.read_text().split()
        return ceil(int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return _UNLIMITED


_UNLIMITED = 1 << 30
