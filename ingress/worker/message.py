"""
What the processes tell each other, over a socket of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Protocol

Message = tuple["Kind", bytes]


class Kind(IntEnum):
    """The first byte of a message; what follows is said here."""

    # To a worker.

    PIECES = 1
    """A message of a `Difference`."""

    PUBLISH = 2
    """The `Difference` is complete: serve what it comes to. A generation, as JSON."""

    ACCEPT = 3
    """Listen and accept, as soon as there is a Snapshot."""

    DRAIN = 4
    """Accept no more, and end when the last exchange is over. Seconds of grace, as JSON."""

    CUT = 5
    """End what is still under way at once."""

    REOPEN = 6
    """Open the files again that are written to: they were moved away."""

    ASK = 7
    """Tell what was counted and how you fare: `STATE` comes after the last `COUNTS`."""

    # From a worker.

    PUBLISHED = 11
    """It serves this generation, as JSON."""

    ACCEPTING = 12
    """It accepts."""

    CANNOT_LISTEN = 13
    """Somebody else listens on an address; a line of text, as JSON."""

    WELL = 14
    """
    How many connections it has, as JSON; a worker that is well goes without this for a
    second at most.
    """

    COUNTS = 15
    """Something that its `Collector` gave, pickled."""

    STATE = 16
    """How it fares, pickled (`DataSide.read_state`)."""

    LOG = 17
    """A log event, as JSON."""

    DRAINED = 18
    """Its last exchange is over."""


class Source(Protocol):
    """Where messages to one process come from, one when the one before it is on its way."""

    def take(self) -> Message | None:
        """:return: the next one; None if there is none now."""


Receive = Callable[[Kind, bytes], None]
