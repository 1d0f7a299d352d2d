"""
HAProxy as a peer.
"""

from __future__ import annotations

import subprocess

from benchmarks.comparison.peer import Command, Place, find_program
from benchmarks.comparison.site import STS, Site

CONFIG = """\
global
    nbthread 1
    maxconn 8192
    log stdout len 4096 format raw local0 info
    ssl-default-bind-options ssl-min-ver TLSv1.2
    tune.ssl.cachesize 100000

defaults
    mode http
    log global
    option httplog
    option dontlognull
    option http-keep-alive
    http-reuse always
    timeout client 60s
    timeout http-request 60s
    timeout http-keep-alive 75s
    timeout connect 5s
    timeout server 60s
    retries 3

frontend metrics
    bind 127.0.0.1:{admin}
    no log
    http-request use-service prometheus-exporter if {{ path /metrics }}

frontend web
    bind 127.0.0.1:{http} backlog 4096
    bind 127.0.0.1:{h2c} proto h2 backlog 4096
    bind 127.0.0.1:{https} ssl crt {default} {certificates} alpn h2,http/1.1 backlog 4096
    unique-id-format %{{+X}}o%ci%cp%fi%fp%Ts%rt%pid
    http-request set-header X-Request-ID %[unique-id] unless {{ req.hdr(X-Request-ID) -m found }}
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Host %[req.hdr(Host)]
    http-request set-header X-Forwarded-Port 443 if {{ ssl_fc }}
    http-request set-header X-Forwarded-Port 80 unless {{ ssl_fc }}
    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
    http-request set-header X-Forwarded-Proto http unless {{ ssl_fc }}
    http-request set-header X-Forwarded-Scheme https if {{ ssl_fc }}
    http-request set-header X-Forwarded-Scheme http unless {{ ssl_fc }}
    http-request set-header X-Scheme https if {{ ssl_fc }}
    http-request set-header X-Scheme http unless {{ ssl_fc }}
    http-response set-header Strict-Transport-Security "{sts}" if {{ ssl_fc }}
    http-request set-var(txn.host) req.hdr(host),field(1,:),lower
    http-request deny deny_status 404 unless {{ var(txn.host),map_str(hosts.map) -m found }}
{routes}
"""


class HAProxy:
    name = "HAProxy"
    notes = "one thread; httplog, a write per line; Prometheus exporter; hosts in a map"

    def __init__(self, program: str | None = None) -> None:
        self._program = program

    def find(self) -> str:
        self._program = self._program or find_program("haproxy")
        said = subprocess.run([self._program, "-v"], capture_output=True, text=True, check=True)
        return said.stdout.split()[2]

    def command(self, site: Site, place: Place) -> Command:
        assert self._program is not None
        rules, backends = [], []
        for prefix, name, port, is_grpc in site.routes:
            rules.append(f"    use_backend {name} if {{ path_beg {prefix} }}")
            protocol = "proto h2" if is_grpc else "maxconn 16384"
            backends.append(f"backend {name}\n    server {name} 127.0.0.1:{port} {protocol}")
        hosts = "".join(f"{host} 1\n" for host in site.hosts)
        place.folder.joinpath("hosts.map").write_text(hosts)
        listed = "".join(f"{pair.both} {host}\n" for host, pair in site.pairs)
        place.folder.joinpath("certificates").write_text(listed)
        text = CONFIG.format(
            admin=place.admin,
            http=place.http,
            https=place.https,
            h2c=place.h2c,
            default=site.default.both,
            certificates="crt-list certificates" if listed else "",
            sts=STS,
            routes="\n".join([*rules, "", *backends]),
        )
        config = place.folder / "haproxy.cfg"
        config.write_text(text)
        return Command([self._program, "-db", "-f", str(config)])
