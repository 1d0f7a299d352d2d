"""
The seam between an exchange and the codec that its request came through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ingress.encoded_fields import FieldLines
from ingress.message import Response

if TYPE_CHECKING:
    from ingress.exchange.tunnel import Tunnel


class ResponseWriter(Protocol):
    """One response on its way to the client, in whatever version of HTTP."""

    def send_interim(self, response: Response) -> None:
        """A 1xx response, for clients that can take one."""

    def send_head(
        self, status: int, reason: bytes, fields: FieldLines, body_length: int | None
    ) -> None:
        """
        :param fields: without any that belong to the connection.
        :param body_length: in bytes; None where `end` will tell.
        """

    def send_body(self, data: bytes) -> None:
        """Some of the body; it may be held back until `flush`."""

    def flush(self) -> None:
        """Send what is held back."""

    def end(self, trailers: FieldLines) -> None:
        """
        The response is whole. The exchange is over.

        :param trailers: none, unless the request said that its client takes them.
        """

    def abort(self) -> None:
        """The response will never be whole, and the client must see that."""

    def pause_request(self) -> None:
        """Bring no more from the client for now."""

    def resume_request(self) -> None:
        """Go on."""

    # The tunnel of a WebSocket (RFC 6455).

    def switch(self, fields: FieldLines, tunnel: Tunnel) -> None:
        """
        The endpoint agreed: whatever comes from the client from now on is for it.

        :param fields: of its answer, without any that belong to the connection.
        :param tunnel: takes the exchange's place.
        """

    def send_raw(self, data: bytes) -> None:
        """Some of what goes through the tunnel."""

    def end_raw(self) -> None:
        """The endpoint sends no more through the tunnel."""
