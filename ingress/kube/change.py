"""
Changes of files as a watcher reports them, and how long to wait for what.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

QUIET_DELAY: Final = 0.05
"""Seconds from the first event to a look, because changes come in bursts."""

SETTLE_DELAY: Final = 0.1
"""Seconds that a file must stay unchanged, because some are written in two halves."""

POLL_DELAY: Final = 0.5
"""Seconds between two looks without events."""

WATCHED_POLL_DELAY: Final = 10.0
"""Seconds between two looks for changes that inotify misses: a full queue, a network disk."""


class Change(Enum):
    """What happened to a file."""

    WRITING = auto()
    """A writer is at work."""

    WRITTEN = auto()
    """A writer has closed it."""

    RENAMED = auto()
    """Something was renamed to this name, and is complete."""

    REMOVED = auto()
    OTHER = auto()


ChangeCallback = Callable[[str, Change], None]
"""Takes the real path of what changed, and what happened to it."""
