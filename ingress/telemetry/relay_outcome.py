"""
How relays end.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class RelayOutcome(StrEnum):
    """How a relay ended: the reason in the log and in metrics."""

    OK = "ok"
    """Both sides have ended in an orderly way."""

    CLIENT_LOST = "client_lost"
    ENDPOINT_BROKE = "endpoint_broke"
    """The connection to the endpoint broke off."""

    IDLE = "idle_timeout"
    """Nothing went through for too long."""

    NO_ENDPOINT = "no_endpoint"
    DIAL_FAILED = "dial_failed"
    ACCESS_REFUSED = "access_refused"
    """The client may not have the connection."""

    LIMITED = "limited"
    """The client has as many connections as it may have."""

    CUT = "cut"
    """The proxy has ended it: to make room, or because it ends itself."""


STATUSES: Final = {
    RelayOutcome.OK: 200,
    RelayOutcome.CLIENT_LOST: 200,
    RelayOutcome.ENDPOINT_BROKE: 200,
    RelayOutcome.IDLE: 200,
    RelayOutcome.CUT: 200,
    RelayOutcome.NO_ENDPOINT: 502,
    RelayOutcome.DIAL_FAILED: 502,
    RelayOutcome.ACCESS_REFUSED: 403,
    RelayOutcome.LIMITED: 503,
}
"""What nginx has as ``$status`` of a session: 200 if there was a connection to an endpoint."""
