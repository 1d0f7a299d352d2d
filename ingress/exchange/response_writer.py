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
    Takes what a client sends behind the head of its request: an exchange, or the tunnel that
    it has become.
    """

    _record: ExchangeRecord

    def get_record(self) -> ExchangeRecord:
        """:return: the record of the request, which has its route once that is known."""
        return self._record

    def body_received(self, data: bytes) -> None:
        """Some of the request's body has come; never empty."""

    def body_ended(self, trailers: Trailers) -> None:
        """The request's body is whole."""

    def tunnel_sent(self, data: bytes) -> None:
        """The client has sent some bytes into the tunnel."""

    def refuse(self, error: PeerError) -> None:
        """The request turned out to be bad, or too slow, after it had begun."""

    def client_finished(self) -> None:
        """The client sends no more, and may still read."""

    def client_lost(self) -> None:
        """The client is gone: nobody waits for the response any more."""

    def pause_response(self) -> None:
        """The client reads more slowly than the endpoint sends."""

    def resume_response(self) -> None:
        """It has caught up."""


@mypyc_attr(allow_interpreted_subclasses=True)
class ResponseWriter:
    """Writes one response to the client, in whatever version of HTTP."""

    def send_interim(self, response: Response) -> None:
        """Send a 1xx response, to clients that can take one."""
        raise NotImplementedError

    def send_head(
        self, status: int, reason: bytes, fields: FieldLines, body_length: int | None
    ) -> None:
        """
        Begin the final response.

        :param fields: without any that belong to the connection.
        :param body_length: in bytes; None where `end` will tell.
        """
        raise NotImplementedError

    def send_body(self, data: bytes) -> None:
        """Send some of the body; it may be held back until `flush`."""
        raise NotImplementedError

    def flush(self) -> None:
        """Send what is held back."""
        raise NotImplementedError

    def end(self, trailers: FieldLines) -> None:
        """
        The response is whole, and the exchange is over.

        :param trailers: none, unless the request said that its client takes them.
        """
        raise NotImplementedError

    def abort(self) -> None:
        """The response will never be whole, and the client must see that."""
        raise NotImplementedError

    def pause_request(self) -> None:
        """Bring no more from the client for now."""
        raise NotImplementedError

    def resume_request(self) -> None:
        """Go on."""
        raise NotImplementedError

    # The tunnel of a WebSocket (RFC 6455).

    def switch(self, fields: FieldLines, tunnel: RequestReader) -> None:
        """
        The endpoint agreed: whatever comes from the client from now on is for it.

        :param fields: of its answer, without any that belong to the connection.
        :param tunnel: takes the exchange's place.
        """
        raise NotImplementedError

    def send_raw(self, data: bytes) -> None:
        """Send some of what goes through the tunnel."""
        raise NotImplementedError

    def end_raw(self) -> None:
        """The endpoint sends no more through the tunnel."""
        raise NotImplementedError
