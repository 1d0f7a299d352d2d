"""
Responses that are slowed down (``limit-rate``), as curl sees them.
"""

from __future__ import annotations

import socket
from pathlib import Path
from time import monotonic
from typing import ClassVar

from tests.e2e.case import ProcessTestCase, run
from tests.support.endpoints import RawEndpoint, read_head
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import wait_until

BODY = bytes(range(256)) * 800
"""200 KiB: at 100 KiB a second, with the first second's worth at once, for a second."""

MUCH = 1 << 28


def serve(connection: socket.socket) -> None:
    """Answer by the path: with a length, in chunks, up to the end, or with very much."""
    path = read_head(connection).split(b" ")[1]
    if path == b"/length":
        head = b"Content-Length: %d\r\n\r\n" % len(BODY)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + BODY)
    elif path == b"/chunked":
        data = b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n"
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    elif path == b"/end":
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY)
    else:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MUCH)
        for _ in range(MUCH >> 20):
            connection.sendall(bytes(1 << 20))


class PaceTests(ProcessTestCase):
    endpoint: ClassVar[RawEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.endpoint = cls.keep(RawEndpoint(serve))
        cls.serve(
            folder,
            ingress_manifest("slow", "a.example", {"/": "web"}, annotations={"limit-rate": "100"}),
            ingress_manifest("fast", "b.example", {"/": "web"}),
            *served_manifests("web", cls.endpoint.port),
        )

    def curl(self, path: str, host: str, *options: str) -> tuple[bytes, float]:
        """:return: the body and the seconds that it took."""
        began = monotonic()
        url = f"http://127.0.0.1:{self.process.port('http')}{path}"
        done = run("curl", "-sS", "--fail", "-H", f"Host: {host}", *options, url)
        self.assertEqual(done.stderr, b"")
        return done.stdout, monotonic() - began

    def test_framings(self) -> None:
        """Bodies of every framing arrive whole, not before their time and not long after."""
        for path in ("/length", "/chunked", "/end"):
            for version in ("--http1.1", "--http1.0", "--http2-prior-knowledge"):
                body, seconds = self.curl(path, "a.example", version)
                self.assertEqual(body, BODY, path)
                self.assertGreater(seconds, 0.9, path)
                self.assertLess(seconds, 5, path)

    def test_others(self) -> None:
        """A rule without the annotation is not slowed down."""
        body, _ = self.curl("/length", "b.example")
        self.assertEqual(body, BODY)

    def test_memory(self) -> None:
        """Very large responses that are slowed down are kept by the endpoint, not in memory."""
        before = self.process.memory
        clients = [self.connect() for _ in range(8)]
        for client in clients:
            client.send(b"GET /much HTTP/1.1\r\nHost: a.example\r\n\r\n")
        for client in clients:
            client.read_head()
            client.skip(150 * 1024)
        self.assertLess(self.process.memory - before, 16 << 10)
        for client in clients:
            client.reset()
        wait_until(lambda: self.endpoint.connections == 0, "the endpoint to be left alone")
