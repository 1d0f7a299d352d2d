"""
The versions of HTTP on both sides of a request, as an explanation tells them.
"""

from __future__ import annotations

from ingress.config import Limits
from ingress.explain.dry_run import DryExchange
from ingress.policy.backend_tls import HTTP1


def client_protocol(limits: Limits, *, is_secure: bool) -> str:
    """
    :param limits: those of the configuration.
    :param is_secure: whether the client comes over TLS.
    :return: what the client's connection may speak, and what decides that.
    """
    streams = limits.http2_streams
    if not streams:
        return "HTTP/1.1; HTTP/2 is off (limits.http2-streams is 0)"
    most = f"up to {streams} requests at once"
    if is_secure:
        return f"HTTP/2 (h2) with {most} if the client offers it by ALPN, else HTTP/1.1"
    return f"HTTP/1.1, or HTTP/2 with {most} for a client that begins with it (prior knowledge)"


def endpoint_protocol(dry: DryExchange) -> str:
    """:return: what the endpoint is spoken to in; empty if none is asked."""
    if dry.endpoint is None:
        return ""
    tls = dry.tls
    if not dry.is_http2:
        return "HTTP/1.1" if tls is None else "HTTP/1.1 over TLS"
    version = "HTTP/2 in the clear (h2c)" if tls is None else "HTTP/2 over TLS (h2)"
    if tls is not None and HTTP1 in tls.alpn:
        version += ", or HTTP/1.1 if the endpoint does not agree by ALPN"
    return (
        f"{version}; requests share connections, each with as many streams as the endpoint allows "
        "(one until it has said so for the first time)"
    )
