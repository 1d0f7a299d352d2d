"""
The tunnel that an exchange turns into when client and endpoint agree on a WebSocket.

Bytes go through as they are, each side at the pace of the other. Either side may
end its half and still hear the other out (RFC 6455 section 7.1.1 wants an orderly end).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ingress.errors import Outcome, PeerError
from ingress.exchange.response_writer import ResponseWriter
from ingress.http1.body import Trailers
from ingress.telemetry.record import ExchangeRecord
from ingress.upstream.http1 import HTTP1Upstream

CLIENT_LOST: Final = "The connection to the client has ended."
"""For the log, whoever ended it."""


class Tunnel:
    """
    For the client's codec what an Exchange is, for the endpoint's connection the
    TunnelReceiver.

    :param writer: the client's side.
    :param connection: the endpoint's side.
    :param record: counts what goes through.
    :param ended: called once, with how it ended and why, if there is something to say.
    """

    def __init__(
        self,
        writer: ResponseWriter,
        connection: HTTP1Upstream,
        record: ExchangeRecord,
        ended: Callable[[Outcome, str], None],
    ) -> None:
        self._writer = writer
        self._connection = connection
        self._record = record
        self._ended = ended
        self._has_half_ended = False

    def __repr__(self) -> str:
        return f"<Tunnel to {self._connection}>"

    # The client's side.

    def tunnel_sent(self, data: bytes) -> None:
        self._record.request_size += len(data)
        self._connection.send_raw(data)

    def client_finished(self) -> None:
        """The client sends no more, and may still read."""
        self._connection.end_raw()
        self._half_ended()

    def client_lost(self) -> None:
        """The client is gone."""
        self._connection.abandon()
        self._ended(Outcome.CLIENT_LOST, CLIENT_LOST)

    def pause_response(self) -> None:
        """The client reads slower than the endpoint sends."""
        self._connection.pause_response()

    def resume_response(self) -> None:
        """It has caught up."""
        self._connection.resume_response()

    # The endpoint's side.

    def tunnel_received(self, data: bytes) -> None:
        self._record.body_size += len(data)
        self._writer.send_raw(data)

    def endpoint_finished(self) -> None:
        """The endpoint sends no more, and may still read."""
        self._writer.end_raw()
        self._half_ended()

    def response_ended(self, trailers: Trailers) -> None:
        """The endpoint's connection has ended in an orderly way."""
        self._ended(Outcome.OK, "")
        self._writer.end([])

    def upstream_failed(self, error: PeerError) -> None:
        """It has ended otherwise, or nothing has gone through for too long."""
        self._ended(error.outcome, str(error))
        self._writer.abort()

    def pause_request(self) -> None:
        """The endpoint reads slower than the client sends."""
        self._writer.pause_request()

    def resume_request(self) -> None:
        """It has caught up."""
        self._writer.resume_request()

    def _half_ended(self) -> None:
        if not self._has_half_ended:
            self._has_half_ended = True
            return
        self._connection.close_tunnel()
        self._ended(Outcome.OK, "")
        self._writer.end([])
