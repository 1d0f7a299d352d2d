"""
What `txingress simulate` costs: a log of ingress-nginx against a cluster of many hosts.

Usage: ``python -m benchmarks.simulate_benchmark [--lines N] [--hosts N]``

The log is made here: N lines in the default format, in which nearly every target, and every client,
differs from all others. A tenth are redirects to https, a twentieth refused by source ranges, and a
thousandth goes to another Service than here. Figures are processor time and the peak of memory,
reading of the manifests included.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ingress.command.main import main as run_command

_MANIFEST = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web{n}
  annotations: {{nginx.ingress.kubernetes.io/{annotation}}}
spec:
  tls: [{{hosts: [h{n}.example], secretName: none}}]
  rules:
  - host: h{n}.example
    http:
      paths:
      - {{path: /, pathType: Prefix, backend: {{service: {{name: web{n}, port: {{number: 80}}}}}}}}
      - {{path: /api, pathType: Prefix, backend: {{service: {{name: api, port: {{name: http}}}}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web{n}}}
spec: {{ports: [{{port: 80}}]}}
---
"""
_SHARED = """apiVersion: v1
kind: Service
metadata: {name: api}
spec: {ports: [{port: 8080, name: http}]}
"""
_ANNOTATIONS = (
    'ssl-redirect: "true"',
    "whitelist-source-range: 10.0.0.0/8",
    'enable-cors: "true"',
    "proxy-body-size: 8m",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--hosts", type=int, default=500)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        manifests, log = Path(folder, "manifests.yaml"), Path(folder, "access.log")
        texts = (
            _MANIFEST.format(n=n, annotation=_ANNOTATIONS[n % len(_ANNOTATIONS)])
            for n in range(arguments.hosts)
        )
        manifests.write_text("".join(texts) + _SHARED)
        with log.open("w") as stream:
            stream.writelines(_log(arguments.lines, arguments.hosts))
        out = io.StringIO()
        started = time.process_time()
        with contextlib.redirect_stdout(out):
            run_command(["simulate", str(log), "--format", "json", "--", str(manifests)])
        took = time.process_time() - started
    found = json.loads(out.getvalue())
    print(
        {name: found[name] for name in ("lines", "same", "different", "undecidable", "malformed")}
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{took:.1f} s of processor time, {found['lines'] / took:,.0f} lines a second")
    print(f"{peak:.0f} MiB at most", file=sys.stdout)


def _log(lines: int, hosts: int) -> Iterator[str]:
    chance = random.Random(1)
    for number in range(lines):
        host, kind = chance.randrange(hosts), chance.random()
        client = f"10.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(256)}"
        path, upstream, status, asked = (
            f"/item/{number}?page={kind:.6f}",
            f"web{host}-80",
            200,
            True,
        )
        if kind < 0.3:
            path, upstream = f"/api/{number}", "api-http"
        elif kind > 0.9:
            status, asked = 308, False
        elif kind > 0.85 and host % len(_ANNOTATIONS) == 1:
            client, status, asked = f"203.0.113.{chance.randrange(256)}", 403, False
        elif kind < 0.301:
            upstream = f"gone{host}-80"
        endpoint = "10.244.1.7:8080 512 0.004 200" if asked else "- - - -"
        yield (
            f"{client} - - [30/Nov/2026:10:{number // 60 % 60:02}:{number % 60:02} +0000] "
            f'"GET {path} HTTP/2.0" {status} 512 "-" "Mozilla/5.0 (X11; Linux) {number % 97}" '
            f"431 0.005 [default-{upstream}] [] {endpoint} {number:032x}\n"
        )


if __name__ == "__main__":
    main()
