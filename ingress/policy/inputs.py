"""
What a decision of a policy depends on, so that a decision can stand for other requests as well.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class Input(Enum):
    """A part of a request, or of what is around it."""

    __hash__ = object.__hash__  # Each is unique, and that of an Enum takes longer.

    SCHEME = auto()
    """Whether the client is believed to have come over TLS."""

    HOST = auto()
    METHOD = auto()
    TARGET = auto()
    """The path and the query, as they were written."""

    CLIENT = auto()
    """The address of the believed client."""

    DESCRIPTION = auto()
    """The fields User-Agent and Referer, which access logs have."""

    FIELDS = auto()
    """Other fields, such as credentials, cookies and Origin."""

    SESSION = auto()
    """The certificate that the client has shown."""

    OUTSIDE = auto()
    """What a server answers that is asked."""

    STATE = auto()
    """Other requests, earlier or at the same time, and chance."""


Inputs = frozenset[Input]

NOTHING: Final[Inputs] = frozenset()
ANYTHING: Final[Inputs] = frozenset(Input)

WORDS: Final = {
    Input.FIELDS: "fields of the request",
    Input.SESSION: "the certificate of the client",
    Input.OUTSIDE: "what another server answers",
    Input.STATE: "other requests",
    Input.DESCRIPTION: "User-Agent and Referer",
    Input.CLIENT: "the address of the client",
}
"""For people, those that a log may lack."""
