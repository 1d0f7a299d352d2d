"""
The states of a call.

::

    CHOOSING ── no endpoint ────────────────────────────────► ENDED
       │  acquire a stream
       ▼            refused: another endpoint, else 502 or 504
    ACQUIRING ◄─────────────────────────────────┐
       │  stream acquired: send the head        │ a kept connection was stale
       ▼                                        │ and the request may be repeated
    WAITING ────────────────────────────────────┘
       │  response started                 failed: another endpoint, else 502 or 504 ► ENDED
       ├──────────────► TUNNELLING ────────────────────────────► ENDED
       ▼
    RESPONDING ── response ended, or failed ──────────────────► ENDED

`Call.cancel` ends every state.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class CallState(Enum):
    CHOOSING = auto()
    """Nothing has been tried yet."""

    ACQUIRING = auto()
    """The pool of the chosen endpoint has yet to give a stream."""

    WAITING = auto()
    """The request has a stream, and no final response has begun."""

    RESPONDING = auto()
    """The receiver has got the head of the response: no other endpoint is tried any more."""

    TUNNELLING = auto()
    ENDED = auto()


# Reading a member of an enumeration costs as much as a call (Python 3.11).
CHOOSING: Final = CallState.CHOOSING
ACQUIRING: Final = CallState.ACQUIRING
WAITING: Final = CallState.WAITING
RESPONDING: Final = CallState.RESPONDING
TUNNELLING: Final = CallState.TUNNELLING
ENDED: Final = CallState.ENDED
