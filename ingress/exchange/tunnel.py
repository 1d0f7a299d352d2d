"""
The tunnel that an exchange becomes when client and endpoint agree on a WebSocket.

Bytes go through as they are, each side at the pace of the other. Either side may end its half and
still receive the other's (RFC 6455 section 7.1.1 wants an orderly end).
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import trait

from ingress.errors import Outcome, PeerError
from ingress.exchange.response_writer import RequestReader, ResponseWriter
from ingress.http1.body import Trailers
from ingress.telemetry.record import ExchangeRecord
from ingress.upstream.stream import EndpointStream, StreamReceiver

CLIENT_LOST: Final = "The connection to the client has ended."
"""For the log, whichever side ended it."""


@trait
class TunnelOwner:
    """The exchange that became a tunnel."""

    def tunnel_ended(self, outcome: Outcome, detail: str) -> None:
        """End the exchange with its tunnel; called once."""
        raise NotImplementedError


class Tunnel(StreamReceiver, RequestReader):
    """
    A tunnel between a client and an endpoint.

    :param writer: writes to the client.
    :param stream: writes to the endpoint.
    :param record: takes the number of bytes in each direction.
    :param owner: called once, when the tunnel has ended.
    """

    def __init__(
        self,
        writer: ResponseWriter,
        stream: EndpointStream,
        record: ExchangeRecord,
        owner: TunnelOwner,
    ) -> None:
        self._writer = writer
        self._stream = stream
        self._record = record
        self._owner = owner
        self._has_half_ended = False

    def __repr__(self) -> str:
        return f"<Tunnel to {self._stream}>"

    # RequestReader: the client's side.

    def tunnel_sent(self, data: bytes) -> None:
        self._record.request_size += len(data)
        self._stream.send_raw(data)

    def client_finished(self) -> None:
        self._stream.end_raw()
        self._half_ended()

    def client_lost(self) -> None:
        self._stream.abandon()
        self._owner.tunnel_ended(Outcome.CLIENT_LOST, CLIENT_LOST)

    def pause_response(self) -> None:
        self._stream.pause_response()

    def resume_response(self) -> None:
        self._stream.resume_response()

    # StreamReceiver: the endpoint's side.

    def tunnel_received(self, data: bytes) -> None:
        self._record.body_size += len(data)
        self._writer.send_raw(data)

    def endpoint_finished(self) -> None:
        self._writer.end_raw()
        self._half_ended()

    def response_ended(self, trailers: Trailers) -> None:
        # The endpoint's connection has ended in an orderly way.
        self._owner.tunnel_ended(Outcome.OK, "")
        self._writer.end([])

    def stream_failed(self, error: PeerError) -> None:
        # It has ended otherwise, or nothing has gone through for too long.
        self._owner.tunnel_ended(error.outcome, str(error))
        self._writer.abort()

    def pause_request(self) -> None:
        self._writer.pause_request()

    def resume_request(self) -> None:
        self._writer.resume_request()

    def _half_ended(self) -> None:
        if not self._has_half_ended:
            self._has_half_ended = True
            return
        self._stream.close_tunnel()
        self._owner.tunnel_ended(Outcome.OK, "")
        self._writer.end([])
