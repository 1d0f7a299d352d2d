"""
nginx, as a peer and as the endpoint that has the content.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from benchmarks.comparison.peer import Command, Place, find_program
from benchmarks.comparison.site import (
    KEEP_ALIVE_REQUESTS,
    LARGE,
    SMALL,
    STS,
    Site,
    SiteRoute,
)

MIB = 1 << 20

EVENTS = "events { worker_connections 8192; multi_accept on; }"

LOG_FORMAT = """\
log_format upstreaminfo '$remote_addr - $remote_user [$time_local] "$request" $status '
    '$body_bytes_sent "$http_referer" "$http_user_agent" $request_length $request_time '
    '[$proxy_host] [] $upstream_addr $upstream_response_length $upstream_response_time '
    '$upstream_status $req_id';
"""
"""That of ingress-nginx."""

LOCATION = """\
location {prefix} {{
    {way}_pass {scheme}://{name};
    {lines}
    {way}_set_header Host $http_host;
    {way}_set_header X-Request-ID $req_id;
    {way}_set_header X-Real-IP $remote_addr;
    {way}_set_header X-Forwarded-For $remote_addr;
    {way}_set_header X-Forwarded-Host $http_host;
    {way}_set_header X-Forwarded-Port $public_port;
    {way}_set_header X-Forwarded-Proto $scheme;
    {way}_set_header X-Forwarded-Scheme $scheme;
    {way}_set_header X-Scheme $scheme;
}}
"""

PROXY = """\
proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    proxy_set_header Connection "";"""
"""Lines of a location whose endpoints speak HTTP/1.1."""

HTTP = """\
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr crit;
{events}
http {{
{log_format}
access_log access.log upstreaminfo;
{temporary}
map $http_x_request_id $req_id {{ default $http_x_request_id; "" $request_id; }}
map $scheme $public_port {{ default 80; https 443; }}
map $scheme $sts {{ https "{sts}"; }}
add_header Strict-Transport-Security $sts always;
keepalive_requests {keep_alive_requests};
keepalive_timeout 75s;
client_max_body_size 1m;
server_names_hash_max_size 65536;
server_names_hash_bucket_size 128;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_session_cache shared:SSL:10m;
ssl_certificate {default.chain};
ssl_certificate_key {default.key};
{upstreams}
server {{ listen 127.0.0.1:{admin}; location /metrics {{ stub_status; access_log off; }} }}
{servers}
}}
"""

BACKEND = """\
{user}
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr crit;
{events}
http {{
access_log off;
{temporary}
keepalive_requests 1000000000;
keepalive_timeout 3600s;
sendfile on;
tcp_nopush on;
open_file_cache max=16;
server {{
    listen 127.0.0.1:{port} backlog=4096;
    default_type text/plain;
    root {root};
    location = {small} {{ return 200 "hello from the endpoint\\n"; }}
}}
}}
"""


def _temporary() -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "\n".join(f"{kind}_temp_path temporary_{kind};" for kind in kinds)


def version(program: str) -> str:
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
    return said.strip().rpartition("/")[2]


def _line(program: str, folder: Path) -> list[str]:
    return [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]


class Nginx:
    name = "nginx"
    notes = (
        "one worker; log, header fields and kept connections as in ingress-nginx, the log "
        "unbuffered; stub_status; bodies streamed both ways"
    )

    def __init__(self, program: str | None = None) -> None:
        self._program = program

    def find(self) -> str:
        self._program = self._program or find_program("nginx")
        return version(self._program)

    def command(self, site: Site, place: Place) -> Command:
        assert self._program is not None
        upstreams = "\n".join(
            f"upstream {name} {{ server 127.0.0.1:{port}; keepalive 320; "
            "keepalive_requests 10000; keepalive_timeout 60s; }"
            for _, name, port, _ in site.routes
        )
        text = HTTP.format(
            events=EVENTS,
            log_format=LOG_FORMAT,
            temporary=_temporary(),
            sts=STS,
            keep_alive_requests=KEEP_ALIVE_REQUESTS,
            default=site.default,
            upstreams=upstreams,
            admin=place.admin,
            servers="\n".join(self._servers(site, place)),
        )
        place.folder.joinpath("nginx.conf").write_text(text)
        return Command(_line(self._program, place.folder))

    def _servers(self, site: Site, place: Place) -> list[str]:
        locations = "".join(map(_location, site.routes))
        place.folder.joinpath("locations.conf").write_text(locations)
        own = dict(site.pairs)
        servers = []
        for number, host in enumerate(site.hosts):
            options = " backlog=4096" if not number else ""
            lines = [
                f"listen 127.0.0.1:{place.http}{options};",
                f"listen 127.0.0.1:{place.https} ssl http2{options};",
                f"listen 127.0.0.1:{place.h2c} http2{options};",
                f"server_name {host};",
                "include locations.conf;",
            ]
            if pair := own.get(host):
                lines += [f"ssl_certificate {pair.chain};", f"ssl_certificate_key {pair.key};"]
            servers.append(f"server {{ {' '.join(lines)} }}")
        return servers


def _location(route: SiteRoute) -> str:
    way, scheme, lines = ("grpc", "grpc", "") if route.is_grpc else ("proxy", "http", PROXY)
    fields = {"prefix": route.prefix, "name": route.name}
    return LOCATION.format(way=way, scheme=scheme, lines=lines, **fields)


def content_command(program: str, port: int, folder: Path) -> list[str]:
    """Of the endpoint: a few bytes without a file, and a mebibyte from one."""
    root = folder / "root"
    root.mkdir(parents=True)
    root.joinpath(LARGE.lstrip("/")).write_bytes(bytes(range(256)) * (MIB // 256))
    text = BACKEND.format(
        user="" if os.geteuid() else "user root;",  # whose worker may read our folder
        events=EVENTS,
        temporary=_temporary(),
        port=port,
        root=root,
        small=SMALL,
    )
    folder.joinpath("nginx.conf").write_text(text)
    return _line(program, folder)
