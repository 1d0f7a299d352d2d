"""
How a process that serves fares: what is not counted, but read.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import NamedTuple


class Connections(NamedTuple):
    """Of clients, by what goes on, in nginx's words."""

    reading: int = 0
    """A request's head is coming in."""

    writing: int = 0
    """A request is answered."""

    waiting: int = 0
    """Nothing: they are idle."""


class Vitals(NamedTuple):
    """Of one process, at the moment."""

    connections: Connections
    memory: int
    """Bytes that are resident."""


def resident_memory() -> int:
    """Bytes that this process has in memory."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * resource.getpagesize()
    except OSError:
        # Without /proc the most that there was is better than nothing.
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
