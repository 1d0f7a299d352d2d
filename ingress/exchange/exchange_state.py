"""
The states of an exchange.

::

    ROUTING ──► DECIDING ──► CALLING ──► RESPONDING ──► ENDED
       │  policies wait │      │  ▲ │                     ▲
       │                │      │  │ └──► TUNNELLING ──────┤
       │                │      │  └ another Upstream      │
       └────────────────┴──────┴── own answer ────────────┘

Every state ends if the client goes away or its body turns out to be bad. `ingress.exchange.call`
has the states of a call, from the choice of an endpoint to the end of the response.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from ingress.errors import Outcome


class ExchangeState(Enum):
    ROUTING = auto()
    """The rule is looked up, and its policies begin to decide."""

    DECIDING = auto()
    """A policy has yet to decide; no more of the body is read."""

    CALLING = auto()
    """A call is under way; the client has got nothing of the response."""

    RESPONDING = auto()
    """The client has got the head of the response."""

    TUNNELLING = auto()
    ENDED = auto()


# The states of every exchange: reading a member of an enumeration costs as much as a call.
ROUTING: Final = ExchangeState.ROUTING
CALLING: Final = ExchangeState.CALLING
RESPONDING: Final = ExchangeState.RESPONDING
ENDED: Final = ExchangeState.ENDED

OK: Final = Outcome.OK
"""The outcome of nearly all exchanges, for the same reason."""
