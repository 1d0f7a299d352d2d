"""
What the connections of one side, clients or endpoints, have done in HTTP/2, and which are open.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, Protocol

from ingress.http2 import fault

_NAMES: Final = {
    value: name
    for name, value in vars(fault).items()
    if isinstance(value, int) and not name.startswith("_")
}


def code_name(code: int) -> str:
    """:return: the name of an error code; ``other`` for those that RFC 9113 does not define."""
    return _NAMES.get(code, "other")


class OpenConnection(Protocol):
    """A connection that is open."""

    @property
    def stream_count(self) -> int:
        """The number of its streams that are open."""


class HTTP2Counts:
    """
    The counts since the start; resets and ends are by `code_name`.

    :ivar connections: those that are open, each with nothing.
    :ivar glitches: what peers did that is odd, or that a bound forbids, by kind.
    :ivar refused: streams that we refused because the client had too many, or that an endpoint
        refused by its GOAWAY.
    :ivar resets_sent: RST_STREAM frames of ours; `resets_received` those of peers.
    :ivar goaways_sent: connections whose end we announced, or whose peer broke a rule;
        `goaways_received` those whose end the peer announced.
    """

    __slots__ = (
        "connections",
        "glitches",
        "goaways_received",
        "goaways_sent",
        "refused",
        "resets_received",
        "resets_sent",
    )

    def __init__(self) -> None:
        self.connections: dict[OpenConnection, None] = {}
        self.glitches: Counter[str] = Counter()
        self.refused = 0
        self.resets_sent: Counter[str] = Counter()
        self.resets_received: Counter[str] = Counter()
        self.goaways_sent: Counter[str] = Counter()
        self.goaways_received: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<HTTP2Counts of {len(self.connections)} open connections>"

    @property
    def stream_count(self) -> int:
        """The number of streams that are open on all connections."""
        return sum(each.stream_count for each in self.connections)

    def opened(self, connection: OpenConnection) -> None:
        """A connection begins."""
        self.connections[connection] = None

    def closed(self, connection: OpenConnection) -> None:
        """A connection has ended."""
        self.connections.pop(connection, None)

    def sent_reset(self, code: int) -> None:
        """We reset a stream."""
        self.resets_sent[code_name(code)] += 1

    def received_reset(self, code: int) -> None:
        """The peer reset a stream."""
        self.resets_received[code_name(code)] += 1

    def sent_goaway(self, code: int) -> None:
        """We announced the end of a connection."""
        self.goaways_sent[code_name(code)] += 1

    def received_goaway(self, code: int) -> None:
        """The peer announced the end of a connection."""
        self.goaways_received[code_name(code)] += 1
