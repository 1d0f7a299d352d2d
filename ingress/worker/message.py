"""
The messages between the control plane and a worker.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Protocol

Message = tuple["Kind", bytes]


class Kind(IntEnum):
    """The first byte of a message; the content is described here."""

    # To a worker.

    PIECES = 1
    """A message of a `Difference`."""

    PUBLISH = 2
    """The `Difference` is complete: publish the Snapshot. A generation, as JSON."""

    ACCEPT = 3
    """Listen and accept once there is a Snapshot."""

    DRAIN = 4
    """Stop accepting, and end after the last exchange. Seconds of grace, as JSON."""

    CUT = 5
    """Close all connections at once."""

    REOPEN = 6
    """Open the log files again, after they were renamed."""

    ASK = 7
    """Send counts and state: `STATE` comes after the last `COUNTS`."""

    LISTEN = 8
    """Listen again: other processes took the share of new connections. `ACCEPTING` answers."""

    QUESTION = 9
    """A question of somebody who looks, pickled (`DataSide.answer`). `ANSWER` follows."""

    # From a worker.

    PUBLISHED = 11
    """The worker serves this generation, as JSON."""

    ACCEPTING = 12
    """The worker accepts."""

    CANNOT_LISTEN = 13
    """Another process listens on an address; a line of text, as JSON."""

    WELL = 14
    """
    The beat: the number of client connections, as JSON. A healthy worker sends it once a
    second.
    """

    COUNTS = 15
    """A result of the `Collector`, pickled."""

    STATE = 16
    """The state of the worker, pickled (`DataSide.read_state`)."""

    LOG = 17
    """A log event, as JSON."""

    DRAINED = 18
    """The last exchange is over."""

    ANSWER = 19
    """The answer to the oldest question that has none, pickled."""


class Source(Protocol):
    """A source of messages; the next one is taken when the last one is sent."""

    def take(self) -> Message | None:
        """:return: the next message; None if there is none now."""


Receive = Callable[[Kind, bytes], None]
