"""
The seam between an exchange and the codec that its request came through.
"""

from __future__ import annotations

from mypy_extensions import mypyc_attr, trait

from ingress.encoded_fields import FieldLines
from ingress.errors import PeerError
from ingress.http1.body import Trailers
from ingress.message import Response
from ingress.telemetry.record import ExchangeRecord


@trait
class RequestReader:
    """
    Takes the input that follows the head of a request: an exchange, or the tunnel that it has
    become.
    """

    _record: ExchangeRecord

    def get_record(self) -> ExchangeRecord:
        """:return: the record of the request; it has the route once that is known."""
        return self._record

    def body_received(self, data: bytes) -> None:
        """Some of the request's body has come; never empty."""

    def body_ended(self, trailers: Trailers) -> None:
        """The request's body is whole."""

    def tunnel_sent(self, data: bytes) -> None:
        """The client has sent some bytes through the tunnel; never empty."""

    def refuse(self, error: PeerError) -> None:
        """Refuse a request that turned out to be bad, or too slow, after it had begun."""

    def client_finished(self) -> None:
        """The client sends no more, and may still read."""

    def client_lost(self) -> None:
        """The client is gone, and no response can be sent."""

    def pause_response(self) -> None:
        """The client reads more slowly than the endpoint sends."""

    def resume_response(self) -> None:
        """The client has caught up."""


@mypyc_attr(allow_interpreted_subclasses=True)
class ResponseWriter:
    """Writes one response to the client, in the version of HTTP of its connection."""

    def send_interim(self, response: Response) -> None:
        """Send a 1xx response, to clients that can take one."""
        raise NotImplementedError

    def send_head(
        self, status: int, reason: bytes, fields: FieldLines, body_length: int | None
    ) -> None:
        """
        Begin the final response.

        :param reason: the reason phrase, which may be empty.
        :param fields: without any that belong to the connection.
        :param body_length: in bytes; None if only `end` tells where the body ends.
        """
        raise NotImplementedError

    def send_body(self, data: bytes) -> None:
        """Send some of the body; it may be kept back until `flush`."""
        raise NotImplementedError

    def flush(self) -> None:
        """Send everything that was kept back."""
        raise NotImplementedError

    def end(self, trailers: FieldLines) -> None:
        """
        End the response, and with it the exchange.

        :param trailers: empty unless the request said that the client takes them.
        """
        raise NotImplementedError

    def abort(self, code: int = 0) -> None:
        """
        End a response that will never be whole, in such a way that the client sees it.

        :param code: as `PeerError.reset_code`.
        """
        raise NotImplementedError

    def refuse_unprocessed(self) -> bool:
        """
        End the exchange without a response, because nobody has looked at the request.

        :return: whether the client can be told that; if not, it is to be answered.
        """
        return False

    def pause_request(self) -> None:
        """Receive no more of the request for now."""
        raise NotImplementedError

    def resume_request(self) -> None:
        """Receive the request again after `pause_request`."""
        raise NotImplementedError

    # The tunnel of a WebSocket (RFC 6455).

    def switch(self, fields: FieldLines, tunnel: RequestReader) -> None:
        """
        Agree to a tunnel: all further input of the client goes through it.

        :param fields: the endpoint's fields, without any that belong to the connection.
        :param tunnel: takes the place of the exchange.
        """
        raise NotImplementedError

    def send_raw(self, data: bytes) -> None:
        """Send some bytes that came through the tunnel."""
        raise NotImplementedError

    def end_raw(self) -> None:
        """End the output, because the endpoint sends no more through the tunnel."""
        raise NotImplementedError
