"""
The states of an exchange.

::

    ROUTING ──► DECIDING ──► CALLING ──► RESPONDING ──► ENDED
       │  policies wait │      │  ▲ │                     ▲
       │                │      │  │ └──► TUNNELLING ──────┤
       │                │      │  └ another Upstream      │
       └────────────────┴──────┴── own answer ────────────┘

A client that goes away, or a body that turns bad, ends every state. The states of the call, from
the choice of an endpoint to the end of its response, are in `ingress.exchange.call`.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class ExchangeState(Enum):
    ROUTING = auto()
    """The rule is being found, and its policies are asked."""

    DECIDING = auto()
    """A policy has yet to decide; nothing more is read from the client or the endpoint."""

    CALLING = auto()
    """An endpoint is asked; nothing of the response is with the client."""

    RESPONDING = auto()
    """The head of the response is with the client."""

    TUNNELLING = auto()
    ENDED = auto()


# Those that each exchange goes through: a name of an enumeration costs as much as a call.
ROUTING: Final = ExchangeState.ROUTING
CALLING: Final = ExchangeState.CALLING
RESPONDING: Final = ExchangeState.RESPONDING
ENDED: Final = ExchangeState.ENDED
