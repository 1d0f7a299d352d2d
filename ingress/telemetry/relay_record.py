"""
The record of a relay, for the counters and the access log.
"""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from ingress.endpoint import Endpoint, UpstreamKey
from ingress.telemetry.relay_outcome import RelayOutcome


class RelayRecord:
    """
    The record of a relay, or of a session of UDP, which is filled in while it lasts.

    Times are in seconds, sizes in bytes.

    :param protocol: ``TCP`` or ``UDP``; ``TLS`` if that was passed through.
    :param client_address: the client's IP address, as believed; empty for a UNIX socket.
    :param port: the port that the client has connected to; 0 for a UNIX socket.
    :param upstream: the Service port that is asked.
    :param began_at: the start, on the clock of the deadlines.
    """

    endpoint: Endpoint | None = None
    """The endpoint that was asked last."""

    host = ""
    """The host that the connection is for, as a rule has it, if TLS was passed through."""

    tries = 0
    """How many endpoints were asked."""

    connect_time: float | None = None
    """The time to make the connection that was used; None if there was none."""

    received = 0
    """Bytes from the client that were passed on."""

    sent = 0
    """Bytes from the endpoint that were passed on."""

    duration = 0.0
    outcome = RelayOutcome.OK
    detail = ""
    """One sentence that says more, without anything that a peer sent."""

    def __init__(
        self,
        protocol: str,
        client_address: str,
        port: int,
        upstream: UpstreamKey,
        began_at: float,
    ) -> None:
        self.protocol = protocol
        self.client_address = client_address
        self.port = port
        self.upstream = upstream
        self.began_at = began_at

    def __repr__(self) -> str:
        return f"<RelayRecord {self.upstream} {self.outcome}>"


@mypyc_attr(allow_interpreted_subclasses=True)
class RelayReceiver:
    """Receives the record of each relay when it is over. This base class ignores them."""

    def relay_ended(self, record: RelayRecord) -> None:
        """Take the record of a relay that is over."""
