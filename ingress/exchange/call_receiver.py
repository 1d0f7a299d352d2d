"""
The seam between a call and its starter.
"""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from ingress.answer import Answer
from ingress.http1.body import Trailers
from ingress.message import Response
from ingress.upstream.stream import EndpointStream, StreamReceiver


@mypyc_attr(allow_interpreted_subclasses=True)
class CallReceiver:
    """
    Receives the response of a call. The last method called is either `call_ended` or
    `call_failed`, unless the call is cancelled or becomes a tunnel.

    This base class ignores everything.
    """

    def call_interim(self, response: Response) -> None:
        """A response of status 1xx has come; the final one is still to come."""

    def call_started(self, response: Response) -> None:
        """The head of the final response has come."""

    def call_body(self, data: bytes) -> None:
        """Some of its body has come; never empty."""

    def call_flush(self) -> None:
        """No more is at hand now: everything received so far may be sent on."""

    def call_ended(self, trailers: Trailers) -> None:
        """The response is whole."""

    def call_failed(self, answer: Answer) -> None:
        """
        There will be no response, or no more of one that has started.

        :param answer: the answer for a client that has got nothing yet.
        """

    def call_switched(self, response: Response, stream: EndpointStream) -> StreamReceiver:
        """
        The endpoint agreed to a tunnel. Call `Call.tunnel_ended` at its end.

        :param response: the head of the response, whose status is 101.
        :param stream: takes what goes through the tunnel to the endpoint.
        :return: the receiver of everything that comes through the tunnel.
        """
        return StreamReceiver()

    def pause_request(self) -> None:
        """The call wants no more of the request's body for now."""

    def resume_request(self) -> None:
        """The call wants more of the request's body again."""
