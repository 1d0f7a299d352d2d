"""
The states of a client's connection in HTTP/2.

::

      OPEN ──── drained, or its last request ────► LEAVING
       │                                              │ the last stream ends
       │  a fault of the client, or idle for too long ▼
       └────────────────────────────────────────► LINGERING ──► CLOSING

LOST may follow every state: the connection has ended, or is cut.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from ingress.config import Limits


class HTTP2State(Enum):
    OPEN = auto()
    """Requests come and are answered."""

    LEAVING = auto()
    """The client has been told that the connection ends; the open streams are served."""

    LINGERING = auto()
    """The last frame has been written; further input is discarded."""

    CLOSING = auto()
    """The client has ended its side; the rest of the output is being sent."""

    LOST = auto()
    """The connection has ended, or is being reset."""


# Reading a member of an enumeration costs as much as a call (Python 3.11).
OPEN: Final = HTTP2State.OPEN
LEAVING: Final = HTTP2State.LEAVING
LINGERING: Final = HTTP2State.LINGERING
CLOSING: Final = HTTP2State.CLOSING
LOST: Final = HTTP2State.LOST

FOLLOWING: Final = {
    OPEN: frozenset({LEAVING, LINGERING, CLOSING, LOST}),
    LEAVING: frozenset({LINGERING, CLOSING, LOST}),
    LINGERING: frozenset({CLOSING, LOST}),
    CLOSING: frozenset({LOST}),
    LOST: frozenset[HTTP2State](),
}
"""The states that may follow each state."""


def idle_time(limits: Limits, last_id: int) -> float:
    """
    :param last_id: the last stream that the client has opened; 0 or less for none.
    :return: for how many seconds the connection may be without a stream.
    """
    return limits.keep_alive_timeout if last_id > 0 else limits.head_timeout
