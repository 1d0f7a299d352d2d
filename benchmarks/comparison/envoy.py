"""
Envoy as a peer.
"""

from __future__ import annotations

import json
import re
import subprocess

from benchmarks.comparison.peer import Command, Place, find_program
from benchmarks.comparison.site import STS, Pair, Site, SiteRoute

Json = dict[str, object]

LOG_FORMAT = (
    "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% - - [%START_TIME%] "
    '"%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL%" %RESPONSE_CODE% %BYTES_SENT% "%REQ(REFERER)%" '
    '"%REQ(USER-AGENT)%" %BYTES_RECEIVED% %DURATION% [%UPSTREAM_CLUSTER%] [] %UPSTREAM_HOST% '
    "%BYTES_SENT% %RESPONSE_DURATION% %RESPONSE_CODE% %REQ(X-REQUEST-ID)%\n"
)
"""As near to that of ingress-nginx as it gets."""

EXTENSION = "type.googleapis.com/envoy.extensions"

OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

MANY = 100_000
"""For limits that are not to be met."""


class Envoy:
    name = "Envoy"
    notes = "--concurrency 1; log to a file, which it buffers; statistics"

    def __init__(self, program: str | None = None) -> None:
        self._program = program

    def find(self) -> str:
        self._program = self._program or find_program("envoy", "envoy", "_bin/envoy")
        command = [self._program, "--version"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        match = re.search(r"/(\d+\.\d+\.\d+[^/]*)/", said)
        return match[1] if match else said.strip()

    def command(self, site: Site, place: Place) -> Command:
        assert self._program is not None
        config = place.folder / "envoy.json"
        config.write_text(json.dumps(_config(site, place)))
        line = [self._program, "-c", str(config), "--concurrency", "1", "--log-level", "error"]
        return Command([*line, "--disable-hot-restart"])


def _config(site: Site, place: Place) -> Json:
    listeners = [
        _listener("http", place.http, {"filters": [_manager(site, place, "http")]}),
        _listener("h2c", place.h2c, {"filters": [_manager(site, place, "http")]}),
        _listener(
            "https",
            place.https,
            {
                "filters": [_manager(site, place, "https")],
                "transport_socket": _transport_socket(site),
            },
        ),
    ]
    return {
        "admin": {"address": _address(place.admin)},
        "static_resources": {
            "listeners": listeners,
            "clusters": [_cluster(route) for route in site.routes],
        },
    }


def _address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _listener(name: str, port: int, chain: Json) -> Json:
    listener: Json = {
        "name": name,
        "address": _address(port),
        "tcp_backlog_size": 4096,
        "filter_chains": [chain],
    }
    if name == "https":
        inspector = {"@type": f"{EXTENSION}.filters.listener.tls_inspector.v3.TlsInspector"}
        listener["listener_filters"] = [{"name": "tls_inspector", "typed_config": inspector}]
    return listener


def _transport_socket(site: Site) -> Json:
    pairs = [site.default, *(pair for _, pair in site.pairs)]
    common = {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "tls_certificates": [_certificate(pair) for pair in pairs],
    }
    context = {
        "@type": f"{EXTENSION}.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": common,
    }
    return {"name": "tls", "typed_config": context}


def _certificate(pair: Pair) -> Json:
    return {
        "certificate_chain": {"filename": str(pair.chain)},
        "private_key": {"filename": str(pair.key)},
    }


def _manager(site: Site, place: Place, scheme: str) -> Json:
    log: Json = {
        "@type": f"{EXTENSION}.access_loggers.file.v3.FileAccessLog",
        "path": str(place.log),
        "log_format": {"text_format_source": {"inline_string": LOG_FORMAT}},
    }
    router = {
        "@type": f"{EXTENSION}.filters.http.router.v3.Router",
        "suppress_envoy_headers": True,
    }
    manager: Json = {
        "@type": (f"{EXTENSION}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": scheme,
        "codec_type": "AUTO",
        "use_remote_address": True,
        "generate_request_id": True,
        "preserve_external_request_id": True,
        "append_x_forwarded_port": True,
        "common_http_protocol_options": {"idle_timeout": "75s"},
        "access_log": [{"name": "file", "typed_config": log}],
        "http_filters": [{"name": "router", "typed_config": router}],
        "route_config": _routes(site, scheme),
    }
    return {"name": "http", "typed_config": manager}


def _routes(site: Site, scheme: str) -> Json:
    routes = [
        {"match": {"prefix": prefix}, "route": {"cluster": name, "timeout": "60s"}}
        for prefix, name, *_ in site.routes
    ]
    added = {
        "X-Real-IP": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "X-Forwarded-Host": "%REQ(:AUTHORITY)%",
        "X-Forwarded-Scheme": scheme,
        "X-Scheme": scheme,
    }
    config: Json = {
        "name": scheme,
        "ignore_port_in_host_matching": True,
        "virtual_hosts": [
            {"name": host, "domains": [host], "routes": routes} for host in site.hosts
        ],
        "request_headers_to_add": [_field(name, value) for name, value in added.items()],
    }
    if scheme == "https":
        config["response_headers_to_add"] = [_field("Strict-Transport-Security", STS)]
    return config


def _field(name: str, value: str) -> Json:
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _cluster(route: SiteRoute) -> Json:
    name = route.name
    endpoint = {"endpoint": {"address": _address(route.port)}}
    most = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), MANY)
    protocol = "http2_protocol_options" if route.is_grpc else "http_protocol_options"
    options = {
        "@type": f"type.googleapis.com/{OPTIONS}",
        "explicit_http_config": {protocol: {}},
    }
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "circuit_breakers": {"thresholds": [most]},
        "typed_extension_protocol_options": {OPTIONS: options},
    }
