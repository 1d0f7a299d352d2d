"""
The states of a client's connection in HTTP/1.1.

::

                head of a request              response whole
      WAITING ─────────────────► ANSWERING ─────────────────────► WAITING
         │                        │     │
         │ idle for too long      │     └── 101 ──► TUNNELLING
         ▼                        ▼                     │
      CLOSING ◄──── the last response, or the end ◄─────┘
         ▲                        │
         │                        ▼  if unread input is left
         └──────────────────── LINGERING

LOST may follow every state: the connection has ended, or is cut.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from ingress.config import Limits
from ingress.deadline import NEVER


class DownstreamState(Enum):
    WAITING = auto()
    """The head of a request is still to come, or has begun."""

    ANSWERING = auto()
    """An exchange is under way."""

    TUNNELLING = auto()
    """The exchange has become a tunnel, which passes bytes on as they are."""

    LINGERING = auto()
    """The last response has been written; further input is discarded."""

    CLOSING = auto()
    """The rest of the output is being sent; then the connection ends."""

    LOST = auto()
    """The connection has ended, or is being reset."""


# Reading a member of an enumeration costs as much as a call (Python 3.11).
WAITING: Final = DownstreamState.WAITING
ANSWERING: Final = DownstreamState.ANSWERING
TUNNELLING: Final = DownstreamState.TUNNELLING
LINGERING: Final = DownstreamState.LINGERING
CLOSING: Final = DownstreamState.CLOSING
LOST: Final = DownstreamState.LOST

FOLLOWING: Final = {
    WAITING: frozenset({ANSWERING, LINGERING, CLOSING, LOST}),
    ANSWERING: frozenset({WAITING, TUNNELLING, LINGERING, CLOSING, LOST}),
    TUNNELLING: frozenset({LINGERING, CLOSING, LOST}),
    LINGERING: frozenset({CLOSING, LOST}),
    CLOSING: frozenset({LOST}),
    LOST: frozenset[DownstreamState](),
}
"""The states that may follow each state."""


def patience(
    state: DownstreamState,
    limits: Limits,
    *,
    is_stalled: bool,
    is_in_head: bool,
    is_in_body: bool,
) -> float:
    """
    Return how long a connection may stay in its state.

    :param limits: the times that the configuration allows.
    :param is_stalled: whether the client does not read what is sent to it.
    :param is_in_head: whether the head of a request has begun; the first one begins with the
        connection.
    :param is_in_body: whether more of a body is wanted from the client.
    :return: seconds; NEVER if something else ends the wait.
    """
    if is_stalled or state is CLOSING:
        return limits.send_timeout
    if state is LINGERING:
        return limits.linger_timeout
    if state is WAITING:
        return limits.head_timeout if is_in_head else limits.keep_alive_timeout
    if state is ANSWERING and is_in_body:
        return limits.body_timeout
    return NEVER
