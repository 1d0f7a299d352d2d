"""
The states of a connection to an endpoint in HTTP/1.1.

::

             head of a request         end of its body
      IDLE ─────────────────► SENDING ────────────────► WAITING ──► 101 ──► TUNNELLING
       ▲  └──── without a body ──────────────────────────► ▲ │                  │
       │                                                     │ response whole   │ both ends
       ├─────────────────────────────────────────────────────┤                  │
       │                                                     ▼                  ▼
       └─ too many idle, or too old ─────────────────────► CLOSING ◄────────────┘

LOST may follow every state: the connection has ended, is given up, or has a response that is whole
before its request.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class UpstreamState(Enum):
    IDLE = auto()
    """No request is under way: the pool keeps the connection, or is about to."""

    SENDING = auto()
    """The head of a request was sent, and its body is still to come from the client."""

    WAITING = auto()
    """The whole request was sent; the response is still to come, or to end."""

    TUNNELLING = auto()
    """The endpoint has switched protocols, and bytes are passed on as they are."""

    CLOSING = auto()
    """The rest of the output is being sent; then the connection ends."""

    LOST = auto()
    """The connection has ended, or is being reset."""


FOLLOWING: Final = {
    UpstreamState.IDLE: frozenset(
        {UpstreamState.SENDING, UpstreamState.WAITING, UpstreamState.CLOSING, UpstreamState.LOST}
    ),
    UpstreamState.SENDING: frozenset(
        {UpstreamState.WAITING, UpstreamState.TUNNELLING, UpstreamState.CLOSING, UpstreamState.LOST}
    ),
    UpstreamState.WAITING: frozenset(
        {UpstreamState.IDLE, UpstreamState.TUNNELLING, UpstreamState.CLOSING, UpstreamState.LOST}
    ),
    UpstreamState.TUNNELLING: frozenset({UpstreamState.CLOSING, UpstreamState.LOST}),
    UpstreamState.CLOSING: frozenset({UpstreamState.LOST}),
    UpstreamState.LOST: frozenset(),
}
"""The states that may follow each state."""
