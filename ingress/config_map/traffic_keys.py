"""
The keys of ingress-nginx's ConfigMap for what becomes of requests: redirects, endpoints, fields,
errors, amounts.
"""

from __future__ import annotations

from typing import Final

from ingress.config.nginx_settings import COOKIE_DOMAINS, COOKIE_PATHS, REDIRECT_TEXT
from ingress.config_map import value as accept
from ingress.config_map.key import no_effect, unsupported, works
from ingress.pattern_replacement import REPLACEMENT as REDIRECT_REPLACEMENT

_TIMEOUT: Final = accept.seconds(0.1, 86400.0)
_STREAMED: Final = "bodies are passed on as they come, so that there is no such buffer"

_REDIRECTS: Final = (
    works(
        "ssl-redirect",
        accept.boolean,
        "ssl_redirect",
        "redirects to https, where there is TLS",
        "true",
    ),
    works(
        "force-ssl-redirect",
        accept.boolean,
        "nginx.redirects.force_ssl",
        "redirects to https, whether there is TLS or not",
        "false",
    ),
    works(
        "http-redirect-code",
        accept.redirect_code,
        "nginx.redirects.code",
        "the status of redirects to https",
        "308",
    ),
    works(
        "no-tls-redirect-locations",
        accept.paths,
        "nginx.redirects.no_tls_locations",
        "paths that are not redirected to https, and all below them",
        "/.well-known/acme-challenge",
    ),
    works(
        "relative-redirects",
        accept.boolean,
        "nginx.redirects.is_relative",
        "whether redirects to a path of the same host stay relative",
        "false",
    ),
    works(
        "preserve-trailing-slash",
        accept.boolean,
        "nginx.redirects.preserve_trailing_slash",
        "whether redirects to https keep a slash at the end",
        "false",
    ),
    no_effect("app-root", "ingress-nginx reads the annotation alone"),
    no_effect("use-port-in-redirects", "there are no redirects of this kind", "false"),
    works(
        "proxy-redirect-from",
        accept.off_or_replaced(REDIRECT_TEXT, "text of a URL", with_text=False),
        "nginx.redirects.proxy_redirect_from",
        "what is replaced in Location and Refresh, as the annotation has it",
        "off",
    ),
    works(
        "proxy-redirect-to",
        accept.off_or(REDIRECT_REPLACEMENT, "text of a URL"),
        "nginx.redirects.proxy_redirect_to",
        "what takes its place",
        "off",
    ),
)

_ENDPOINTS: Final = (
    works("proxy-connect-timeout", _TIMEOUT, "limits.connect_timeout", "seconds to connect", "5"),
    works("proxy-read-timeout", _TIMEOUT, "limits.read_timeout", "seconds to respond", "60"),
    works("proxy-send-timeout", _TIMEOUT, "limits.upstream_send_timeout", "seconds to read", "60"),
    works("proxy-body-size", accept.body_size, "limits.body_size", "the size of bodies", "1m"),
    works(
        "proxy-next-upstream",
        accept.retry_conditions,
        "nginx.proxy.next_upstream",
        "when a request is tried again",
        "error timeout",
    ),
    works(
        "proxy-next-upstream-tries",
        accept.integer(0, 1000),
        "nginx.proxy.next_upstream_tries",
        "endpoints that are tried for a request",
        "3",
    ),
    works(
        "proxy-next-upstream-timeout",
        accept.seconds(0, 86400),
        "nginx.proxy.next_upstream_timeout",
        "seconds within which a request is tried again",
        "0",
    ),
    works(
        "retry-non-idempotent",
        accept.boolean,
        "nginx.proxy.retry_non_idempotent",
        "whether requests that are not idempotent are tried again",
        "false",
    ),
    works(
        "proxy-cookie-domain",
        accept.off_or_replaced(COOKIE_DOMAINS, "two domains with a blank between", with_text=True),
        "nginx.proxy.cookie_domain",
        "as the annotation",
        "off",
    ),
    works(
        "proxy-cookie-path",
        accept.off_or_replaced(COOKIE_PATHS, "two paths with a blank between", with_text=True),
        "nginx.proxy.cookie_path",
        "as the annotation",
        "off",
    ),
    works(
        "service-upstream",
        accept.boolean,
        "service_upstream",
        "whether requests are sent to the address of a Service",
        "false",
    ),
    works(
        "load-balance",
        accept.choice("round_robin", "ewma"),
        "nginx.proxy.load_balance",
        "how endpoints share requests",
        "round_robin",
    ),
    no_effect("upstream-hash-by", "ingress-nginx reads the annotation alone"),
    no_effect("upstream-hash-by-subset", "ingress-nginx reads the annotation alone", "false"),
    no_effect("upstream-hash-by-subset-size", "ingress-nginx reads the annotation alone", "3"),
    works(
        "upstream-keepalive-connections",
        accept.integer(0, 1_000_000),
        "limits.idle_upstream_connections",
        "idle connections kept for each endpoint",
        "320",
    ),
    works(
        "upstream-keepalive-timeout",
        _TIMEOUT,
        "limits.idle_upstream_timeout",
        "seconds for which an idle connection to an endpoint is kept",
        "60",
    ),
    works(
        "upstream-keepalive-time",
        accept.seconds(0.001, 30 * 86400.0),
        "limits.upstream_connection_age",
        "seconds after which a connection to an endpoint in HTTP/1.1 is not kept; there is no "
        "limit without the key",
        "1h",
    ),
    works(
        "upstream-keepalive-requests",
        accept.integer(1, 1_000_000_000),
        "limits.upstream_connection_requests",
        "requests on a connection to an endpoint in HTTP/1.1; there is no limit without the key",
        "10000",
    ),
    no_effect("proxy-ssl-location-only", "proxy-ssl-* annotations hold for their own paths only"),
    no_effect("grpc-buffer-size-kb", _STREAMED, "0"),
)

_BUFFERS: Final = (
    no_effect("proxy-buffering", "responses are streamed, not buffered", "off"),
    no_effect("proxy-request-buffering", "requests are streamed, not buffered", harmless=("off",)),
    no_effect("proxy-buffer-size", "heads of responses may have limits.head-size bytes", "4k"),
    no_effect("proxy-buffers-number", _STREAMED, "4"),
    no_effect("proxy-busy-buffers-size", _STREAMED, "8k"),
    no_effect("proxy-max-temp-file-size", _STREAMED, "1024m"),
    no_effect("client-body-buffer-size", _STREAMED, "8k"),
    no_effect("proxy-http-version", "HTTP/1.1 is spoken to endpoints", "1.1"),
)

_FIELDS: Final = (
    works(
        "hide-headers",
        accept.editable_field_names,
        "nginx.headers.removed",
        "fields that no response has",
    ),
    works(
        "add-headers",
        accept.reference,
        "nginx.headers.added",
        "the ConfigMap with fields that every response has",
    ),
    works(
        "proxy-set-headers",
        accept.reference,
        "nginx.headers.set_upstream",
        "the ConfigMap with fields that every request has for its endpoint, with variables",
    ),
    no_effect("server-tokens", "responses have no Server field of the proxy", "false"),
    no_effect(
        "allow-backend-server-header",
        "the Server field of endpoints is always passed on",
        harmless=("true",),
    ),
    no_effect("default-type", "the proxy adds no Content-Type", "text/html"),
    unsupported(
        "generate-request-id",
        "requests without an id always get one",
        "true",
    ),
    works(
        "proxy-add-original-uri-header",
        accept.boolean,
        "nginx.headers.adds_original_uri",
        "whether endpoints get X-Original-URI, the target as the client wrote it",
        "false",
    ),
)

_ERRORS_AND_AMOUNTS: Final = (
    works(
        "custom-http-errors",
        accept.statuses(400, 599),
        "nginx.errors.statuses",
        "errors that the default backend, or error pages, take the place of",
    ),
    works(
        "disable-proxy-intercept-errors",
        accept.boolean,
        "nginx.errors.disable_intercept",
        "whether errors of endpoints reach clients as they are",
        "false",
    ),
    works(
        "limit-rate",
        accept.kibibytes,
        "limits.response_rate",
        "KiB a second for each response",
        "0",
    ),
    works(
        "limit-rate-after",
        accept.kibibytes_or_none,
        "limits.response_rate_after",
        "KiB of each response that are not slowed down",
        "0",
    ),
    works(
        "limit-req-status-code",
        accept.integer(400, 599),
        "nginx.limits.req_status",
        "the status of requests beyond `limit-rps` or `limit-rpm`",
        "503",
    ),
    works(
        "limit-conn-status-code",
        accept.integer(400, 599),
        "nginx.limits.conn_status",
        "the status of requests beyond `limit-connections`",
        "503",
    ),
    unsupported(
        "limit-conn-zone-variable",
        "clients are told apart by their addresses",
        "$binary_remote_addr",
    ),
)

_CODINGS: Final = tuple(
    key
    for coding, switch, levels, level, length in (
        ("gzip", "use-gzip", (1, 9), "1", "256"),
        ("brotli", "enable-brotli", (0, 11), "4", "20"),
    )
    for key in (
        works(
            switch,
            accept.boolean,
            f"compression.{coding}.enabled",
            f"whether responses are compressed with {coding}",
            "false",
        ),
        works(
            f"{coding}-level",
            accept.integer(*levels),
            f"compression.{coding}.level",
            "how much time is spent on it",
            level,
        ),
        works(
            f"{coding}-min-length",
            accept.integer(0, 1 << 30),
            f"compression.{coding}.min_length",
            "bytes below which a response stays as it is",
            length,
        ),
        works(
            f"{coding}-types",
            accept.media_types,
            f"compression.{coding}.types",
            "the media types that are compressed, beside text/html",
        ),
    )
)

_COMPRESSION: Final = (
    *_CODINGS,
    works(
        "gzip-disable",
        accept.pattern,
        "compression.disabled_for",
        "clients whose User-Agent matches get nothing compressed",
    ),
)

_STREAMS: Final = (
    works(
        "proxy-stream-timeout",
        _TIMEOUT,
        "limits.stream_idle_timeout",
        "seconds without a byte after which a connection of a TCP service ends",
        "600s",
    ),
    works(
        "proxy-stream-next-upstream",
        accept.boolean,
        "nginx.streams.next_upstream",
        "whether another endpoint is asked if one cannot be connected to",
        "true",
    ),
    works(
        "proxy-stream-next-upstream-tries",
        accept.integer(0, 1000),
        "nginx.streams.tries",
        "endpoints that are asked for a connection; 0 for all",
        "3",
    ),
    works(
        "proxy-stream-next-upstream-timeout",
        accept.seconds(0, 86400),
        "nginx.streams.timeout",
        "seconds within which another endpoint is asked; 0 for no limit",
        "600s",
    ),
    unsupported(
        "proxy-stream-responses",
        "a session of UDP ends when it is idle, whatever the number of replies",
        "1",
    ),
    unsupported("stream-snippet", "the snippet is not carried out"),
)

TRAFFIC_KEYS: Final = (
    *_REDIRECTS,
    *_ENDPOINTS,
    *_BUFFERS,
    *_FIELDS,
    *_ERRORS_AND_AMOUNTS,
    *_COMPRESSION,
    *_STREAMS,
)
