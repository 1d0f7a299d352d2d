"""
The states of an exchange.

::

    ROUTING ── own answer ─────────────────────────────────────────► ENDED
       │  pick, take or dial
       ▼            dial failed: another endpoint, else 502
    CONNECTING ◄──────────────────────────────┐
       │  connected: send the head            │ a reused connection died
       ▼                                      │ and nothing is lost by asking again
    WAITING ──────────────────────────────────┘
       │  response started                 failed: 502 or 504 ──────► ENDED
       ▼
    RESPONDING ── response ended; failed: cut the client's connection ► ENDED

A client that goes away, or a body that turns bad, ends every state.
"""

from __future__ import annotations

from enum import Enum, auto


class State(Enum):
    ROUTING = auto()
    CONNECTING = auto()
    WAITING = auto()
    RESPONDING = auto()
    TUNNELLING = auto()
    ENDED = auto()
