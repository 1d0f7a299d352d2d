"""
How many processor cores this process may use.
"""

from __future__ import annotations

import os


def usable_cores() -> int:
    """At least one."""
    return max(1, len(os.sched_getaffinity(0)))
