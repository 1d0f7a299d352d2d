"""
The seam between a call and whatever it is made for.
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
    Receives what becomes of a call. Exactly one of `call_ended` and `call_failed` is the last
    that it hears, unless it cancels the call.

    As it is, it ignores everything.
    """

    def call_interim(self, response: Response) -> None:
        """A response of status 1xx has come; the final one is still to come."""

    def call_started(self, response: Response) -> None:
        """The head of the final response has come."""

    def call_body(self, data: bytes) -> None:
        """Some of its body has come; never empty."""

    def call_flush(self) -> None:
        """No more is at hand now: what was received may be sent on."""

    def call_ended(self, trailers: Trailers) -> None:
        """The response is whole."""

    def call_failed(self, answer: Answer) -> None:
        """
        There will be no response, or no more of one that has started.

        :param answer: what a client is answered, if it has seen nothing yet.
        """

    def call_switched(self, response: Response, stream: EndpointStream) -> StreamReceiver:
        """
        The endpoint agreed to a tunnel. `Call.tunnel_ended` is to be called at its end.

        :return: the receiver of everything that comes through the tunnel.
        """
        return StreamReceiver()

    def pause_request(self) -> None:
        """The call takes no more of the request's body for now."""

    def resume_request(self) -> None:
        """It takes more of the body again."""
