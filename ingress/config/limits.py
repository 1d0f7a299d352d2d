"""
The limits of the configuration: times, sizes and numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ingress.config.limit_store import LimitStore
from ingress.frozen_value import reduced


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Bounds on clients, endpoints and the memory that they cost; times in seconds, sizes in
    bytes. Annotations of an Ingress override some of them.
    """

    tls_handshake_timeout: float = 10.0
    head_timeout: float = 60.0
    """For a request head, from its first byte on; for the first one from the connection's start."""

    body_timeout: float = 60.0
    """Between two reads of a request body."""

    keep_alive_timeout: float = 75.0
    keep_alive_requests: int = 1000
    """Requests on one connection before it is closed."""

    send_timeout: float = 60.0
    """For a client that does not read."""

    linger_timeout: float = 5.0
    """For reading what a refused client still sends (RFC 9112 section 9.6)."""

    head_size: int = 64 * 1024
    head_fields: int = 256
    target_size: int = 32 * 1024
    body_size: int | None = 1024 * 1024
    """None for no limit."""

    connections: int = 16384
    connections_per_client: int | None = None
    """None for no limit."""

    client_share: float = 0.5
    """Of `connections`: for one client, while most of them are in use; 1 for no bound."""

    route_share: float = 0.5
    """The same for the requests in flight of one route."""

    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    """For an endpoint that does not send."""

    upstream_send_timeout: float = 60.0
    """For an endpoint that does not read."""

    idle_upstream_connections: int = 320
    """Kept for each endpoint."""

    idle_upstream_timeout: float = 60.0
    upstream_connection_requests: int | None = None
    """Requests on one connection to an endpoint in HTTP/1.1; None for no limit."""

    upstream_connection_age: float | None = None
    """Seconds after which such a connection is closed behind a response; None for never."""

    retry_budget: float = 0.2
    """Share of the requests in flight that may be retries; a few are always allowed."""

    policy_timeout: float = 30.0
    """For a policy that waits before it decides."""

    metric_lines: int = 250_000
    """Lines of metrics; beyond them requests are counted with less detail."""

    response_rate: int | None = None
    """Bytes of a response's body a second; None for as fast as the client reads."""

    response_rate_after: int = 0
    """Bytes of each response that are not slowed down."""

    http2_streams: int = 100
    """Requests at once on one connection of HTTP/2; 0 if HTTP/2 is not spoken to clients."""

    http2_resets: int = 100
    """Requests that a peer may cancel, or have cancelled, at once before they are answered."""

    http2_control_frames: int = 1000
    """PING and SETTINGS frames at once."""

    http2_glitches: int = 1000
    """Odd but harmless frames at once."""

    http2_continuations: int = 8
    """CONTINUATION frames of one head."""

    http2_priorities: int = 100
    """PRIORITY and PRIORITY_UPDATE frames for each stream."""

    http2_window_updates: int = 20
    """WINDOW_UPDATE frames for each DATA frame that we have sent."""

    http2_refill: int = 33
    """What resets, control frames and glitches gain a second, up to their numbers at once."""

    http2_settings: int = 32
    """Entries of a SETTINGS frame."""

    http2_unread_answers: int = 1000
    """Answers to PING and SETTINGS frames that a peer leaves unread."""

    http2_empty_frames: int = 1
    """DATA frames in a row that carry nothing at all."""

    http2_trailer_size: int = 16 * 1024
    http2_table_size: int = 4096
    """Bytes of the dynamic table of HPACK that a peer may use."""

    http2_stream_window: int = 1024 * 1024
    """What the window of a stream may grow to whose reader keeps up; it begins with 64 KiB."""

    http2_connection_window: int = 1024 * 1024
    """What is held of what a peer sends, for all streams of a connection together."""

    http2_queue: int = 1024 * 1024
    """What is queued for a peer, for all streams of a connection together."""

    http2_goaway_time: float = 1.0
    """For a client to learn that its connection ends, before what it sends is dropped."""

    http2_ping_interval: float = 30.0
    """Silence of an endpoint after a request has begun, after which it is sent a PING."""

    http2_ping_pause: float = 300.0
    """The same where no request has begun since the last PING."""

    http2_ping_timeout: float = 15.0
    """For the answer to that."""

    http2_expected_streams: int = 100
    """Requests that wait for one connection to an endpoint that has not said what it takes."""

    stream_idle_timeout: float = 600.0
    """For a connection of a TCP service, or one of TLS that is passed through, without a byte."""

    udp_idle_timeout: float = 60.0
    """For a session of UDP without a datagram."""

    store: LimitStore | None = None
    """Where all replicas count what clients send; None if each counts for itself."""

    requests_per_client: int | None = None
    concurrency: Literal["auto"] | None = None
    """Whether Services that answer ever later get fewer requests."""

    proxy_protocol_header_timeout: float = 5.0
    """For the header of the PROXY protocol, where connections begin with one."""

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)
