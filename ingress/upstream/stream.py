"""
The seam between a call and the stream that carries its request to an endpoint.

A stream is one request and its response on a connection to an endpoint: all of a connection in
HTTP/1.1, a share of one in HTTP/2. `EndpointPool.acquire` hands it out, and the call is its
`StreamReceiver`.

Both are base classes instead of protocols, because a compiled call through `typing.Protocol` costs
ten times as much (docs/adr/0024-the-core-of-an-exchange.md).
"""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from ingress.errors import PeerError
from ingress.http1.body import Trailers
from ingress.message import Response, UpstreamRequest
from ingress.policy.proxy_settings import ProxySettings
from ingress.proxy_protocol import Version, make_header


@mypyc_attr(allow_interpreted_subclasses=True)
class StreamReceiver:
    """
    Receives a stream, and then the response that comes on it.

    This base class ignores everything: a stream that is over has one of these in the place of its
    receiver.
    """

    # Of the pool.

    def stream_acquired(self, stream: EndpointStream) -> None:
        """A stream is there after a wait; nothing else uses it."""

    def stream_refused(self, error: PeerError) -> None:
        """There will be no stream: no connection to the endpoint can be made."""

    # Of the stream.

    def response_interim(self, response: Response) -> None:
        """A response of status 1xx has come; the final one is still to come."""

    def response_started(self, response: Response) -> None:
        """The head of the final response has come."""

    def response_body(self, data: bytes) -> None:
        """Some of its body has come; never empty."""

    def response_flush(self) -> None:
        """No more is at hand now: everything received so far may be sent on."""

    def response_ended(self, trailers: Trailers) -> None:
        """The response is whole, and the stream is over."""

    def stream_failed(self, error: PeerError) -> None:
        """The stream has broken: no more of the response will come."""

    def proxy_header(self, version: str) -> bytes:
        """
        Make what tells an endpoint for whom a connection is made (`Endpoint.proxy_protocol`); for
        nobody, unless somebody knows better.

        :param version: ``v1`` or ``v2``.
        """
        return make_header(Version(version), None)

    def pause_request(self) -> None:
        """The endpoint reads more slowly than the client sends."""

    def resume_request(self) -> None:
        """The endpoint has caught up."""

    # Of a tunnel.

    def switched(self, response: Response) -> StreamReceiver:
        """
        The endpoint agreed to a tunnel, and no other response will come.

        :param response: the head of the response, whose status is 101.
        :return: the receiver of everything that comes from now on.
        """
        return self

    def tunnel_received(self, data: bytes) -> None:
        """The endpoint has sent some bytes through the tunnel; never empty."""

    def endpoint_finished(self) -> None:
        """The endpoint sends no more through the tunnel, and may still read."""


@mypyc_attr(allow_interpreted_subclasses=True)
class EndpointStream:
    """Carries one request to an endpoint and its response back."""

    def send_head(
        self, receiver: StreamReceiver, request: UpstreamRequest, timeouts: ProxySettings
    ) -> None:
        """
        Begin the request. If it has a body, call `send_body` and `end_body` afterwards.

        :param receiver: receives the response.
        :param request: the head.
        :param timeouts: the times for an endpoint that does not read or does not send.
        """
        raise NotImplementedError

    def send_body(self, data: bytes) -> None:
        """Send some of the body; never empty."""
        raise NotImplementedError

    def end_body(self, trailers: Trailers) -> None:
        """
        End the body.

        :param trailers: those of the request. A stream drops them if its version of HTTP, or its
            kind of endpoint, does not take them.
        """
        raise NotImplementedError

    def pause_response(self) -> None:
        """Receive no more of the response for now, because the client reads more slowly."""
        raise NotImplementedError

    def resume_response(self) -> None:
        """Receive the response again after `pause_response`."""
        raise NotImplementedError

    def abandon(self) -> None:
        """
        Give up the stream; its receiver gets no further calls.

        The kind of stream decides about the connection: HTTP/1.1 has to end it.
        """
        raise NotImplementedError

    # Of a tunnel.

    def send_raw(self, data: bytes) -> None:
        """Send some bytes that the client sent through the tunnel."""
        raise NotImplementedError

    def end_raw(self) -> None:
        """End the output, because the client sends no more; the endpoint may still send."""
        raise NotImplementedError

    def close_tunnel(self) -> None:
        """End a tunnel through which neither side has more to send."""
        raise NotImplementedError


class PendingStream:
    """The wait for a stream."""

    def cancel(self) -> None:
        """End the wait; the receiver gets no call."""
        raise NotImplementedError
