"""
Caddy as a peer.
"""

from __future__ import annotations

import json
import subprocess

from benchmarks.comparison.peer import Command, Place, find_program
from benchmarks.comparison.site import STS, Site

Json = dict[str, object]

FIELDS = {
    "X-Request-ID": "{http.request.uuid}",
    "X-Real-IP": "{http.request.remote.host}",
    "X-Forwarded-Scheme": "{http.request.scheme}",
    "X-Scheme": "{http.request.scheme}",
}
"""Besides X-Forwarded-For, -Host and -Proto, which it sets by itself."""


class Caddy:
    name = "Caddy"
    notes = "GOMAXPROCS=1; JSON log; metrics; all hosts in one matcher, its fastest way"

    def __init__(self, program: str | None = None) -> None:
        self._program = program

    def find(self) -> str:
        self._program = self._program or find_program("caddy")
        said = subprocess.run(
            [self._program, "version"], capture_output=True, text=True, check=True
        )
        return said.stdout.split()[0].lstrip("v")

    def command(self, site: Site, place: Place) -> Command:
        assert self._program is not None
        config = place.folder / "caddy.json"
        config.write_text(json.dumps(_config(site, place)))
        environment = {
            "GOMAXPROCS": "1",
            "HOME": str(place.folder),
            "XDG_DATA_HOME": str(place.folder),
            "XDG_CONFIG_HOME": str(place.folder),
        }
        return Command([self._program, "run", "--config", str(config)], environment)


def _config(site: Site, place: Place) -> Json:
    writer: Json = {"output": "file", "filename": str(place.log), "roll": False}
    logs: Json = {
        "default": {"level": "ERROR"},
        "access": {
            "writer": writer,
            "encoder": {"format": "json"},
            "include": ["http.log.access"],
        },
    }
    pairs = [site.default, *(pair for _, pair in site.pairs)]
    files = [{"certificate": str(pair.chain), "key": str(pair.key)} for pair in pairs]
    servers: Json = {
        "http": _server(site, place.http, 80, place.h2c),
        "https": _server(site, place.https, 443)
        | {
            "tls_connection_policies": [{"alpn": ["h2", "http/1.1"], "fallback_sni": site.hosts[0]}]
        },
    }
    return {
        "admin": {"listen": f"127.0.0.1:{place.admin}"},
        "logging": {"logs": logs},
        "apps": {
            "http": {"servers": servers, "metrics": {}},
            "tls": {"certificates": {"load_files": files}},
        },
    }


def _server(site: Site, port: int, public_port: int, *more: int) -> Json:
    routes: list[object] = []
    if public_port == 443:
        fields = {"Strict-Transport-Security": [STS]}
        routes.append({"handle": [{"handler": "headers", "response": {"set": fields}}]})
    routes += [
        {
            "match": [{"host": list(site.hosts), "path": [f"{prefix.rstrip('/')}/*", prefix]}],
            "handle": [_handler(endpoint_port, public_port, is_grpc)],
            "terminal": True,
        }
        for prefix, _, endpoint_port, is_grpc in site.routes
    ]
    return {
        "listen": [f"127.0.0.1:{each}" for each in (port, *more)],
        "protocols": ["h1", "h2", "h2c"],
        "automatic_https": {"disable": True},
        "logs": {"default_logger_name": "access"},
        "idle_timeout": "75s",
        "routes": routes,
    }


def _handler(endpoint_port: int, public_port: int, is_grpc: bool) -> Json:
    fields = FIELDS | {"X-Forwarded-Port": str(public_port)}
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"127.0.0.1:{endpoint_port}"}],
        "headers": {"request": {"set": {name: [value] for name, value in fields.items()}}},
        "transport": {
            "protocol": "http",
            "compression": False,
            "versions": ["h2c", "2"] if is_grpc else ["1.1"],
            "keep_alive": {"enabled": True, "max_idle_conns_per_host": 320, "idle_timeout": "60s"},
        },
    }
