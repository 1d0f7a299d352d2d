"""
The solver of cert-manager's HTTP-01 challenges: ``python -m tests.support.acme_solver``.

It answers as ``acmesolver`` does: only its host, its path and its token get the key.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.process import CHECKOUT, ENVIRONMENT, PATIENCE

FOLDER = "/.well-known/acme-challenge"


class SolverPod:
    """
    A running solver.

    :param prefix: a command that runs it in the network of the pods.
    :param address: where it listens, with `port`.
    """

    def __init__(
        self, prefix: Sequence[str], address: str, port: int, domain: str, token: str, key: str
    ) -> None:
        self._process = subprocess.Popen(
            [
                *(*prefix, sys.executable, "-m", "tests.support.acme_solver"),
                *(address, str(port), domain, token, key),
            ],
            cwd=CHECKOUT,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def stop(self) -> None:
        """End it; also for `addCleanup`, a second time."""
        self._process.kill()
        self._process.wait(PATIENCE)
        if self._process.stdout is not None:
            self._process.stdout.close()


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
