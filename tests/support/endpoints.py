"""
Real HTTP servers on loopback, to be endpoints in tests from outside.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class EchoEndpoint:
    """
    Answers each request with what it received, as JSON: ``name``, ``method``,
    ``target``, ``fields`` (pairs in order) and ``length`` (of the body, in bytes).

    :param name: by which a test knows who answered.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.requests: list[str] = []
        """The request lines that it has seen."""

        endpoint = self

        class Handler(_EchoHandler):
            owner = endpoint

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Close its listener; for `addCleanup`, too."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


class _EchoHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: EchoEndpoint

    def setup(self) -> None:
        super().setup()
        # One segment an answer: Nagle's algorithm would hold the body back 40 ms.
        self.wfile = self.connection.makefile("wb", 65536)

    def answer(self) -> None:
        self.owner.requests.append(self.requestline)
        length = self._read_body()
        body = json.dumps(
            {
                "name": self.owner.name,
                "method": self.command,
                "target": self.path,
                "fields": self.headers.items(),
                "length": length,
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = answer

    def _read_body(self) -> int:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        length = 0
        while size := int(self.rfile.readline(), 16):
            length += len(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return length

    def log_message(self, format: str, *args: object) -> None:
        """BaseHTTPRequestHandler: tests have no use for its log."""
