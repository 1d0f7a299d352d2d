"""
Pools of endpoints whose connections begin with a header of the PROXY protocol.

Such a connection is one of the client that its header names. It is therefore made for one request,
and never used for another one: the next may be of another client, or say something else of the
same one.
"""

from __future__ import annotations

from ingress.upstream.connection import EndpointConnection
from ingress.upstream.http2 import HTTP2Upstream
from ingress.upstream.pool import CONNECT_TIMEOUT, Dial, EndpointPool
from ingress.upstream.shared_pool import SharedDial, SharedPool
from ingress.upstream.stream import EndpointStream, PendingStream, StreamReceiver


class SingleUsePool(EndpointPool):
    """Makes a connection for each request."""

    def acquire(
        self, receiver: StreamReceiver, timeout: float = CONNECT_TIMEOUT, *, is_new: bool = False
    ) -> EndpointStream | PendingStream:
        """EndpointPool."""
        return Dial(self, receiver, timeout, receiver.proxy_header(self.endpoint.proxy_protocol))

    def release(self, connection: EndpointConnection) -> None:
        """ConnectionOwner."""
        connection.close()


class SingleUseSharedPool(SharedPool):
    """The same in HTTP/2: a connection has one stream, and ends when that is over."""

    @property
    def idle_timeout(self) -> float:
        """ConnectionOwner."""
        return 0.0

    def acquire(
        self, receiver: StreamReceiver, timeout: float = CONNECT_TIMEOUT, *, is_new: bool = False
    ) -> EndpointStream | PendingStream:
        """EndpointPool."""
        dial = SharedDial(self, receiver.proxy_header(self.endpoint.proxy_protocol))
        waiting = dial.add(receiver)
        dial.begin(timeout)
        return waiting

    def release(self, connection: EndpointConnection) -> None:
        """ConnectionOwner: an endpoint over TLS may have agreed on HTTP/1.1."""
        connection.close()

    def opened(self, connection: HTTP2Upstream) -> None:
        """SharedOwner: nobody else gets a stream on it."""
