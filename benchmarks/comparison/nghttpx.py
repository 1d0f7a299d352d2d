"""
nghttpx as a peer.
"""

from __future__ import annotations

import subprocess

from benchmarks.comparison.peer import Command, Place, find_program
from benchmarks.comparison.site import Site, SiteRoute

LOG_FORMAT = (
    '$remote_addr - - [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
    '"$http_user_agent" $request_time [$backend_host] [] $backend_host:$backend_port'
)
"""As near to that of ingress-nginx as it gets."""

CONFIG = """\
frontend=127.0.0.1,{http};no-tls
frontend=127.0.0.1,{h2c};no-tls
frontend=127.0.0.1,{https}
frontend=127.0.0.1,{admin};no-tls;api
{backends}
private-key-file={default.key}
certificate-file={default.chain}
{certificates}
tls-min-proto-version=TLSv1.2
workers=1
accesslog-file={log}
accesslog-format={log_format}
add-x-forwarded-for=yes
strip-incoming-x-forwarded-for=yes
backlog=4096
backend-keep-alive-timeout=60s
frontend-keep-alive-timeout=75s
no-via=yes
"""


class Nghttpx:
    name = "nghttpx"
    notes = "one worker; log to a file; X-Forwarded-For and -Proto only, no id of requests"

    def __init__(self, program: str | None = None) -> None:
        self._program = program

    def find(self) -> str:
        self._program = self._program or find_program("nghttpx")
        command = [self._program, "--version"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return said.strip().rpartition("/")[2]

    def command(self, site: Site, place: Place) -> Command:
        assert self._program is not None
        text = CONFIG.format(
            http=place.http,
            h2c=place.h2c,
            https=place.https,
            admin=place.admin,
            backends="\n".join(map(_backend, site.routes)),
            default=site.default,
            certificates="\n".join(f"subcert={pair.key}:{pair.chain}" for _, pair in site.pairs),
            log=place.log,
            log_format=LOG_FORMAT,
        )
        config = place.folder / "nghttpx.conf"
        config.write_text(text)
        return Command([self._program, f"--conf={config}"])


def _backend(route: SiteRoute) -> str:
    """Of every host: it has no rule for those that nobody has."""
    pattern = route.prefix.rstrip("/")
    patterns = f"{pattern}:{pattern}/" if pattern else "/"
    protocol = "h2" if route.is_grpc else "http/1.1"
    return f"backend=127.0.0.1,{route.port};{patterns};proto={protocol}"
