"""
Streams towards endpoints, for tests that speak to them directly.
"""

from __future__ import annotations

from ingress.believed_client import BelievedClient
from ingress.errors import PeerError
from ingress.exchange.field_names import FieldNames
from ingress.exchange.fields import upstream_head
from ingress.exchange.loop_marker import LoopMarker
from ingress.field_edits import NO_EDITS
from ingress.http1.request_head import parse_request_head
from ingress.message import UpstreamRequest
from ingress.upstream.http1 import HTTP1Upstream
from ingress.upstream.pool import EndpointPool
from ingress.upstream.stream import EndpointStream, PendingStream, StreamReceiver


class StreamUser(StreamReceiver):
    """Remembers the stream that it got, or why there is none."""

    def __init__(self) -> None:
        self.connection: HTTP1Upstream | None = None
        self.refusal: PeerError | None = None

    def stream_acquired(self, stream: EndpointStream) -> None:
        assert isinstance(stream, HTTP1Upstream)
        self.connection = stream

    def stream_refused(self, error: PeerError) -> None:
        self.refusal = error


def take_idle(pool: EndpointPool) -> EndpointStream | None:
    """The connection that a pool hands out without dialling; None where it has to dial."""
    found = pool.acquire(StreamReceiver())
    if isinstance(found, PendingStream):
        found.cancel()
        return None
    return found


def as_sent_upstream(head: bytes) -> UpstreamRequest:
    """A client's head as an endpoint gets it, from a client of whom nothing is known."""
    request, _ = parse_request_head(head)
    client = BelievedClient(b"", request.authority, b"", is_secure=False, is_trusted=False)
    return upstream_head(request, client, b"id", FieldNames(), NO_EDITS, LoopMarker())
