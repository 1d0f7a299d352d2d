"""
The seam between a call and the stream that carries its request to an endpoint.

A stream is one request and its response on a connection to an endpoint: all of a connection in
HTTP/1.1, a share of one in HTTP/2. `EndpointPool.acquire` hands it out, and the call is its
`StreamReceiver`.

Both are plain base classes, not protocols: compiled, a call through `typing.Protocol` costs ten
times as much (docs/adr/0024-the-core-of-an-exchange.md).
"""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from ingress.errors import PeerError
from ingress.http1.body import Trailers
from ingress.message import Response, UpstreamRequest
from ingress.policy.proxy_settings import ProxySettings


@mypyc_attr(allow_interpreted_subclasses=True)
class StreamReceiver:
    """
    Receives a stream, and then what comes back on it.

    As it is, it ignores everything: a receiver that is done with its stream leaves one of these
    in its place.
    """

    # Of the pool.

    def stream_acquired(self, stream: EndpointStream) -> None:
        """A stream that had to be waited for is there; it is the receiver's alone."""

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
        """No more is at hand now: what was received may be sent on."""

    def response_ended(self, trailers: Trailers) -> None:
        """The response is whole, and the stream is over."""

    def stream_failed(self, error: PeerError) -> None:
        """The stream has broken: no more of the response will come."""

    def pause_request(self) -> None:
        """The endpoint reads more slowly than the client sends."""

    def resume_request(self) -> None:
        """The endpoint has caught up."""

    # Of a tunnel.

    def switched(self, response: Response) -> StreamReceiver:
        """
        The endpoint agreed to a tunnel, and no other response will come.

        :return: the receiver of everything that comes from now on.
        """
        return self

    def tunnel_received(self, data: bytes) -> None:
        """Some of what the endpoint sends through the tunnel has come."""

    def endpoint_finished(self) -> None:
        """The endpoint sends no more through the tunnel, and may still read."""


@mypyc_attr(allow_interpreted_subclasses=True)
class EndpointStream:
    """Carries one request to an endpoint and its response back."""

    def send_head(
        self, receiver: StreamReceiver, request: UpstreamRequest, timeouts: ProxySettings
    ) -> None:
        """
        Begin the request. If it has a body, `send_body` and `end_body` follow.

        :param receiver: receives the response.
        :param timeouts: for what the endpoint does not read, or does not send.
        """
        raise NotImplementedError

    def send_body(self, data: bytes) -> None:
        """Send some of the body; never empty."""
        raise NotImplementedError

    def end_body(self, trailers: Trailers) -> None:
        """
        The body is whole.

        :param trailers: of the request; a stream leaves out what its version cannot send.
        """
        raise NotImplementedError

    def pause_response(self) -> None:
        """Bring no more of the response for now: the client reads more slowly."""
        raise NotImplementedError

    def resume_response(self) -> None:
        """Go on."""
        raise NotImplementedError

    def abandon(self) -> None:
        """
        Give up the stream; its receiver hears nothing more of it.

        What becomes of the connection is up to its kind: HTTP/1.1 has to end it.
        """
        raise NotImplementedError

    # Of a tunnel.

    def send_raw(self, data: bytes) -> None:
        """Send some of what the client sends through the tunnel."""
        raise NotImplementedError

    def end_raw(self) -> None:
        """The client sends no more through the tunnel; the endpoint may still send."""
        raise NotImplementedError

    def close_tunnel(self) -> None:
        """End a tunnel through which neither side has more to send."""
        raise NotImplementedError


class PendingStream:
    """A stream that is being waited for."""

    def cancel(self) -> None:
        """Give up waiting; the receiver hears nothing of it."""
        raise NotImplementedError
