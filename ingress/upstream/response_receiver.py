"""
The seam between a connection to an endpoint and whoever uses it.
"""

from __future__ import annotations

from typing import Protocol

from ingress.errors import PeerError
from ingress.http1.body import Trailers
from ingress.message import Response


class ResponseReceiver(Protocol):
    """Who sent the request: told of its response as it comes."""

    def switched(self, response: Response) -> TunnelReceiver:
        """
        The endpoint agreed to a tunnel; there will be no other response.

        :return: who hears of the connection from now on.
        """

    def response_interim(self, response: Response) -> None:
        """A response of status 1xx; the final one is still to come."""

    def response_started(self, response: Response) -> None:
        """The head of the final response."""

    def response_body(self, data: bytes) -> None:
        """Some of its body; never empty."""

    def response_ended(self, trailers: Trailers) -> None:
        """It is whole. The connection is no longer the receiver's."""

    def response_flush(self) -> None:
        """No more is at hand now: what was received may be sent on."""

    def upstream_failed(self, error: PeerError) -> None:
        """There will be no more of it. The connection is gone."""

    def pause_request(self) -> None:
        """The endpoint reads slower than the client sends."""

    def resume_request(self) -> None:
        """It has caught up."""


class TunnelReceiver(Protocol):
    """The other side of a tunnel."""

    def tunnel_received(self, data: bytes) -> None:
        """Some of what the endpoint sends."""

    def endpoint_finished(self) -> None:
        """The endpoint sends no more, and may still read."""

    def response_ended(self, trailers: Trailers) -> None:
        """The connection has ended in an orderly way."""

    def upstream_failed(self, error: PeerError) -> None:
        """It has ended otherwise."""

    def pause_request(self) -> None:
        """The endpoint reads slower than the client sends."""

    def resume_request(self) -> None:
        """It has caught up."""
