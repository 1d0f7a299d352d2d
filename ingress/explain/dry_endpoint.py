"""
The endpoint of a dry run: it takes one request, in the version of HTTP that it is spoken to in, and
answers with a plain 200.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from twisted.internet.protocol import ClientFactory
from twisted.internet.task import Clock

from ingress.config import Limits
from ingress.explain.memory_transport import MemoryTransport
from ingress.http2.counts import HTTP2Counts
from ingress.http2.hpack_encoder import encode_field, encode_status
from ingress.http2.server import ServerConnection, ServerEvents
from ingress.http2.stream import Stream
from ingress.message import Request
from ingress.policy.backend_tls import BackendTLS
from ingress.upstream.http2 import HTTP2Upstream

_PLAIN_RESPONSE: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_PLAIN_BLOCK: Final = encode_status(200) + encode_field(b"content-length", b"0")
_LIMITS: Final = Limits(head_size=1 << 24, head_fields=1 << 16, target_size=1 << 24)
"""An endpoint refuses no head: the proxy has looked at it."""


class EndpointRequest(NamedTuple):
    """What the endpoint got."""

    head: bytes
    """The head as HTTP/1.1 has it; empty if the endpoint got none."""

    is_http2: bool


def answer_dry(factory: ClientFactory, tls: BackendTLS | None, clock: Clock) -> EndpointRequest:
    """
    Accept a connection to the endpoint, and answer its request.

    :param factory: that of the connection.
    :param tls: the settings of TLS with the endpoint, which agrees on what they prefer.
    :param clock: of the data plane.
    """
    protocol: Any = factory.buildProtocol(None)
    if protocol is None:
        return EndpointRequest(b"", is_http2=False)
    transport = MemoryTransport(tls.alpn[0] if tls is not None and tls.alpn else None)
    transport.connect(protocol)
    protocol = transport.protocol
    # Heads of shared connections are written at the end of the turn.
    clock.advance(0)
    if isinstance(protocol, HTTP2Upstream):
        endpoint = _HTTP2Endpoint(clock)
        return EndpointRequest(endpoint.answer(transport, protocol), is_http2=True)
    head, end, _ = bytes(transport.written).partition(b"\r\n\r\n")
    protocol.dataReceived(_PLAIN_RESPONSE)
    return EndpointRequest(head + end, is_http2=False)


class _HTTP2Endpoint(ServerEvents):
    """Reads the request of a connection in HTTP/2, and answers it."""

    def __init__(self, clock: Clock) -> None:
        self._head = b""
        self._codec = ServerConnection(self, _LIMITS, 1, clock.seconds, HTTP2Counts())

    def answer(self, transport: MemoryTransport, protocol: HTTP2Upstream) -> bytes:
        """:return: the head of the request, as HTTP/1.1 has it."""
        self._codec.receive(bytes(transport.written))
        self._codec.begin()
        while data := self._codec.take():
            protocol.dataReceived(data)
        return self._head

    def request_received(self, stream: Stream, request: Request) -> None:
        """ServerEvents."""
        lines = [
            b"%b %b HTTP/2.0" % (request.method, request.target),
            b"Host: %b" % request.authority,
            *(b"%b: %b" % (name, value) for _, name, value in request.fields if name != b"host"),
        ]
        self._head = b"\r\n".join(lines) + b"\r\n\r\n"
        stream.send_head(_PLAIN_BLOCK, is_end=True)
