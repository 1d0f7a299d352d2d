"""
The vital signs of a process that serves: values that are read, not counted.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import NamedTuple


class Connections(NamedTuple):
    """Client connections by activity, in nginx's terms."""

    reading: int = 0
    """The head of a request is being received."""

    writing: int = 0
    """A request is being answered."""

    waiting: int = 0
    """Idle connections."""


class Vitals(NamedTuple):
    """Those of one process, at the moment."""

    connections: Connections
    memory: int
    """Resident memory in bytes."""


def resident_memory() -> int:
    """Bytes of memory that this process has in use."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * resource.getpagesize()
    except OSError:
        # Without /proc, the maximum so far is the best that the system has.
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
