"""
The solver of cert-manager's HTTP-01 challenges: ``python -m tests.support.acme_solver``.

It answers as ``acmesolver`` does: only its host, its path and its token get the key.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FOLDER = "/.well-known/acme-challenge"


def main(address: str, port: str, domain: str, token: str, key: str) -> None:
    """Serve until the process is killed."""

    class Solver(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = self.headers.get("Host", "").partition(":")[0]
            is_ours = (host, self.path) == (domain, f"{FOLDER}/{token}")
            body = key.encode() if is_ours else b"404 page not found\n"
            self.send_response(200 if is_ours else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """BaseHTTPRequestHandler: log nothing."""

    server = ThreadingHTTPServer((address, int(port)), Solver)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
