"""
The keys of ingress-nginx's ConfigMap for the side of clients: trust, connections, TLS, the process.
"""

from __future__ import annotations

from typing import Final

from ingress.config_map import tls_value as tls
from ingress.config_map import value as accept
from ingress.config_map.key import no_effect, unsupported, works

_TIMEOUT: Final = accept.seconds(0.1, 86400.0)
_MAX_AGE: Final = (1 << 31) - 1

_TRUST: Final = (
    works(
        "use-forwarded-headers",
        accept.boolean,
        "",
        "whether the fields of proxies in front are believed: of those in proxy-real-ip-cidr, or "
        "else in trusted-proxies of the configuration, or else of everybody",
        "false",
    ),
    works(
        "proxy-real-ip-cidr",
        accept.networks,
        "",
        "the proxies in front that are believed with use-forwarded-headers, and that may send "
        "headers of the PROXY protocol",
        "0.0.0.0/0",
    ),
    works(
        "enable-real-ip",
        accept.boolean,
        "",
        "whether proxies in front are believed about the address of the client, and about nothing "
        "else ([the page on trust](trust.md))",
        "false",
    ),
    works(
        "forwarded-for-header",
        accept.field_name,
        "nginx.forwarded_for.field",
        "the field in which proxies in front forward the address of the client",
        "X-Forwarded-For",
    ),
    no_effect(
        "forwarded-for-proxy-protocol-header",
        "there is no such internal field",
        "X-Forwarded-For-Proxy-Protocol",
    ),
    unsupported(
        "forwarded-host-header",
        "X-Original-Forwarded-Host has the X-Forwarded-Host of the client",
        "X-Forwarded-Host",
    ),
    works(
        "compute-full-forwarded-for",
        accept.boolean,
        "nginx.forwarded_for.is_full",
        "whether endpoints get the X-Forwarded-For of a proxy that is believed, with its own "
        "address at the end; what others send is never passed on in it",
        "false",
    ),
    works(
        "use-proxy-protocol",
        accept.boolean,
        "nginx.proxy_protocol.is_on",
        "whether connections begin with a header of the PROXY protocol, on http and https alike: "
        "from the proxies in proxy-real-ip-cidr, or else in trusted-proxies of the configuration; "
        "those of others are closed",
        "false",
    ),
    works(
        "proxy-protocol-header-timeout",
        _TIMEOUT,
        "limits.proxy_protocol_header_timeout",
        "seconds for a header of the PROXY protocol",
        "5s",
    ),
    works(
        "enable-underscores-in-headers",
        accept.boolean,
        "",
        "whether fields with _ in their names reach endpoints (field-names)",
        "false",
    ),
    works(
        "ignore-invalid-headers",
        accept.boolean,
        "",
        "whether fields with other names than of letters, digits and - are dropped (field-names)",
        "true",
    ),
)

_TLS: Final = (
    works("hsts", accept.boolean, "", "Strict-Transport-Security over https", "true"),
    works("hsts-max-age", accept.integer(0, _MAX_AGE), "", "its max-age in seconds", "31536000"),
    works("hsts-include-subdomains", accept.boolean, "", "its includeSubDomains", "true"),
    works("hsts-preload", accept.boolean, "", "its preload", "false"),
    works(
        "ssl-protocols",
        tls.protocols,
        "nginx.tls.protocols",
        "the versions of TLS, of which 1.2 and 1.3 are spoken",
        "TLSv1.2 TLSv1.3",
        remark=tls.old_protocols,
    ),
    works(
        "ssl-ciphers",
        tls.ciphers,
        "nginx.tls.ciphers",
        "the ciphers of TLS 1.2, the preferred ones first; without the key they are those of "
        "Mozilla's intermediate configuration, and clients choose",
    ),
    works(
        "ssl-ecdh-curve",
        tls.curves,
        "nginx.tls.curves",
        "the groups of key agreement, the preferred ones first",
        "auto",
    ),
    unsupported("ssl-dh-param", "no cipher with DHE is offered"),
    works(
        "ssl-session-tickets",
        accept.boolean,
        "nginx.tls.tickets",
        "whether sessions are resumed; they are without the key",
        "false",
    ),
    unsupported("ssl-session-ticket-key", "the keys of tickets are made at start"),
    works(
        "ssl-session-timeout",
        accept.seconds(1, 86400),
        "nginx.tls.session_timeout",
        "seconds for which a session can be resumed",
        "10m",
    ),
    no_effect("ssl-session-cache", "sessions are resumed by tickets", "true"),
    no_effect("ssl-session-cache-size", "sessions are resumed by tickets", "10m"),
    no_effect("ssl-buffer-size", "TLS records have the size of what is sent", "4k"),
    unsupported("ssl-early-data", "early data is not accepted", "false"),
    works(
        "ssl-reject-handshake",
        accept.boolean,
        "nginx.tls.rejects_unknown",
        "whether handshakes for hosts without a certificate fail, in place of the default one",
        "false",
    ),
    unsupported("enable-ocsp", "no OCSP response is stapled", "false"),
)

_CLIENTS: Final = (
    works("client-header-timeout", _TIMEOUT, "limits.head_timeout", "seconds for a head", "60"),
    works(
        "client-body-timeout",
        _TIMEOUT,
        "limits.body_timeout",
        "seconds between two reads of a body",
        "60",
    ),
    works(
        "keep-alive",
        _TIMEOUT,
        "limits.keep_alive_timeout",
        "seconds for which an idle connection is kept",
        "75",
    ),
    works(
        "keep-alive-requests",
        accept.integer(1, 1_000_000_000),
        "limits.keep_alive_requests",
        "requests on one connection",
        "1000",
    ),
    works(
        "large-client-header-buffers",
        accept.buffers,
        "limits.head_size",
        "the size of a head: that of all buffers together",
        "4 8k",
    ),
    no_effect("client-header-buffer-size", "heads have one limit, limits.head-size", "1k"),
    works(
        "max-worker-connections",
        accept.integer(1, 1_000_000),
        "limits.connections",
        "connections of clients, of all workers together",
        "16384",
    ),
    no_effect("max-worker-open-files", "the limit of the system holds", "0"),
    works("use-http2", accept.boolean, "", "whether HTTP/2 is spoken with clients", "true"),
    works(
        "http2-max-concurrent-streams",
        accept.integer(1, 10_000),
        "limits.http2_streams",
        "requests at once on one connection of HTTP/2",
        "128",
    ),
    no_effect("http2-max-field-size", "nginx has this setting no more"),
    no_effect("http2-max-header-size", "nginx has this setting no more"),
    no_effect("http2-max-requests", "nginx has this setting no more", "0"),
    no_effect("use-geoip", "there is no GeoIP here", harmless=("false",)),
    no_effect("use-geoip2", "there is no GeoIP here", "false"),
    no_effect("geoip2-autoreload-in-minutes", "there is no GeoIP here", "0"),
)

_CONFIGURED: Final = "of the configuration file says that, at a restart"

_PROCESS: Final = (
    works(
        "worker-shutdown-timeout",
        accept.seconds(0, 86400),
        "shutdown_grace",
        "seconds that requests may take to finish at the end",
        "240s",
    ),
    no_effect("worker-processes", f"`workers` {_CONFIGURED}", "auto"),
    no_effect("bind-address", f"`listen` {_CONFIGURED}"),
    no_effect("disable-ipv6", f"`listen` {_CONFIGURED}", "false"),
    unsupported("disable-ipv6-dns", "names resolve to addresses of both families", "false"),
    no_effect("worker-cpu-affinity", "the system places the workers"),
    no_effect("enable-multi-accept", "each worker accepts what there is", "true"),
    no_effect("enable-aio-write", "nothing is written to disk for a request", "true"),
    no_effect("enable-serial-reloads", "there are no reloads", "false"),
    no_effect("reuse-port", "workers share their sockets", "true"),
    no_effect("map-hash-bucket-size", "there are no such tables", "64"),
    no_effect("server-name-hash-max-size", "there are no such tables", "1024"),
    no_effect("server-name-hash-bucket-size", "there are no such tables"),
    no_effect("proxy-headers-hash-max-size", "there are no such tables", "512"),
    no_effect("proxy-headers-hash-bucket-size", "there are no such tables", "64"),
    no_effect("variables-hash-bucket-size", "there are no such tables", "256"),
    no_effect("variables-hash-max-size", "there are no such tables", "2048"),
    no_effect("plugins", "Lua is not run: a policy of one's own can take its place"),
    no_effect("lua-shared-dicts", "Lua is not run"),
    no_effect("debug-connections", "there is no such log"),
)

_SNIPPETS: Final = (
    works(
        "location-snippet",
        accept.snippet,
        "nginx.snippets.location",
        "directives of [the page on snippets](snippets.md) for all paths; with others it is left "
        "out, and closes every path if it may decide about access",
    ),
    works(
        "server-snippet",
        accept.snippet,
        "nginx.snippets.server",
        "the same for all hosts, with `location` blocks",
    ),
    unsupported("main-snippet", "it is not interpreted"),
    unsupported(
        "http-snippet",
        "it is not interpreted; `deny`, `auth_request` and the like for all hosts close every path",
    ),
)

SERVER_KEYS: Final = (*_TRUST, *_TLS, *_CLIENTS, *_PROCESS, *_SNIPPETS)
