"""
Reads the section ``limits`` of the configuration.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from ingress.config import value as accept
from ingress.config.limit_store import LEASE
from ingress.config.limits import Limits
from ingress.config.section import Accept, Section
from ingress.config.store_value import authorities, limit_store

MAX_TIMEOUT: Final = 86400.0
"""One day, in seconds. A larger value is usually meant for the whole of a stream."""

MIN_TIMEOUT: Final = 0.1
"""Seconds. No request could be served with less."""

_TIMEOUT = accept.seconds(MAX_TIMEOUT, MIN_TIMEOUT)
_COUNT = accept.integer(1, 1_000_000)

_LIMITS: Final[dict[str, Accept[Any]]] = {
    "proxy_protocol_header_timeout": _TIMEOUT,
    "tls_handshake_timeout": _TIMEOUT,
    "head_timeout": _TIMEOUT,
    "body_timeout": _TIMEOUT,
    "keep_alive_timeout": _TIMEOUT,
    "keep_alive_requests": accept.integer(1, 1_000_000_000),
    "http2_streams": accept.integer(0, 10_000),
    "http2_resets": _COUNT,
    "http2_control_frames": _COUNT,
    "http2_glitches": _COUNT,
    "http2_continuations": accept.integer(1, 100),
    "http2_priorities": _COUNT,
    "http2_window_updates": _COUNT,
    "http2_refill": _COUNT,
    "http2_settings": accept.integer(9, 1000),
    "http2_unread_answers": _COUNT,
    "http2_empty_frames": accept.integer(0, 10_000),
    "http2_trailer_size": accept.size(1 << 10, 1 << 20),
    "http2_table_size": accept.size(1 << 12, 1 << 16),
    "http2_stream_window": accept.size(1 << 16, 1 << 24),
    "http2_connection_window": accept.size(1 << 16, 1 << 26),
    "http2_queue": accept.size(1 << 17, 1 << 26),
    "http2_goaway_time": accept.seconds(3600.0, MIN_TIMEOUT),
    "http2_ping_interval": accept.seconds(MAX_TIMEOUT, 1.0),
    "http2_ping_pause": accept.seconds(MAX_TIMEOUT, 1.0),
    "http2_ping_timeout": _TIMEOUT,
    "http2_expected_streams": accept.integer(1, 10_000),
    "send_timeout": _TIMEOUT,
    "linger_timeout": accept.seconds(60.0),
    "head_size": accept.size(1 << 10, 1 << 20),
    "head_fields": accept.integer(8, 4096),
    "target_size": accept.size(1 << 8, 1 << 20),
    "body_size": accept.size_or_no_limit,
    "connections": _COUNT,
    "connections_per_client": accept.count_or_no_limit(1_000_000),
    "requests_per_client": accept.count_or_no_limit(1_000_000),
    "client_share": accept.number("a share", 0.01, 1),
    "route_share": accept.number("a share", 0.01, 1),
    "connect_timeout": _TIMEOUT,
    "read_timeout": _TIMEOUT,
    "upstream_send_timeout": _TIMEOUT,
    "idle_upstream_connections": accept.integer(0, 1_000_000),
    "idle_upstream_timeout": _TIMEOUT,
    "upstream_connection_requests": accept.count_or_no_limit(1_000_000_000),
    "upstream_connection_age": accept.seconds_or_no_limit(30 * 86400.0),
    "retry_budget": accept.number("a share", 0, 1),
    "response_rate": accept.size_or_no_limit,
    "response_rate_after": accept.size(0, 1 << 40),
    "stream_idle_timeout": _TIMEOUT,
    "udp_idle_timeout": _TIMEOUT,
    "policy_timeout": _TIMEOUT,
    "metric_lines": accept.integer(1000, 100_000_000),
}
"""What each limit accepts; the key in the file has hyphens."""

_AUTO: Final[Accept[Literal["auto"]]] = accept.one_of("auto")
_DEFAULT: Final = Limits()


def read_limits(root: Section, folder: Path) -> Limits:
    """:return: the limits; faults are noted."""
    with root.section("limits") as section:
        limits = {
            name: section.take(name.replace("_", "-"), accepted, getattr(_DEFAULT, name))
            for name, accepted in _LIMITS.items()
        }
        store = section.take_secret("store", limit_store, _DEFAULT.store)
        trusted = section.take("store-ca", accept.or_null(authorities(folder)), None)
        lease = section.take("store-lease", accept.seconds(3600.0, 1.0), LEASE)
        if store is not None:
            store = replace(store, authorities=trusted, lease=lease)
        concurrency = section.take("concurrency", accept.or_null(_AUTO), None)
    return Limits(store=store, concurrency=concurrency, **limits)
