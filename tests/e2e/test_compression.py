"""
Compressed responses, as curl sees them.
"""

from __future__ import annotations

import socket
import zlib
from pathlib import Path
from typing import ClassVar

import yaml

from tests.e2e.case import ProcessTestCase, run
from tests.support.endpoints import RawEndpoint, read_head
from tests.support.manifest import ingress_manifest, served_manifests

TEXT = b"".join(b"<li>%d: %d</li>\n" % (n, n * n) for n in range(40_000))
MUCH = 1 << 28


def serve(connection: socket.socket) -> None:
    """Answer by the path: a text, events with a client's answer between them, or very much."""
    head = read_head(connection)
    path = head.split(b" ")[1]
    fields = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
    if path == b"/text":
        connection.sendall(fields + b"Content-Length: %d\r\n\r\n" % len(TEXT) + TEXT)
    elif path == b"/events":
        connection.sendall(fields + b"Connection: close\r\n\r\ndata: 1\n\n")
        # Nothing more until the client has got it and goes away.
        connection.recv(1)
    else:
        connection.sendall(fields + b"Content-Length: %d\r\n\r\n" % MUCH)
        for _ in range(MUCH >> 20):
            connection.sendall(bytes(1 << 20))


class CompressionTests(ProcessTestCase):
    endpoint: ClassVar[RawEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.endpoint = cls.keep(RawEndpoint(serve))
        cls.serve(
            folder,
            ingress_manifest("web", "a.example", {"/": "web"}),
            *served_manifests("web", cls.endpoint.port),
            compression={
                "gzip": {"enabled": True, "level": 9},
                "brotli": {"enabled": True},
                "zstd": {"enabled": True},
            },
        )

    def curl(self, *options: str) -> bytes:
        url = f"http://127.0.0.1:{self.process.port('http')}/text"
        done = run("curl", "-sS", "--fail", "-H", "Host: a.example", *options, url)
        self.assertEqual(done.stderr, b"")
        return done.stdout

    def test_codings(self) -> None:
        """A client decodes each coding; without one it gets the text as it is."""
        self.assertEqual(self.curl(), TEXT)
        self.assertEqual(self.curl("--compressed"), TEXT)
        for coding in ("gzip", "br", "zstd"):
            field = f"Accept-Encoding: {coding}"
            encoded = self.curl("-H", field)
            self.assertLess(len(encoded), len(TEXT) / 3, coding)
            self.assertEqual(self.curl("--compressed", "-H", field), TEXT, coding)
            http2 = ("--http2-prior-knowledge", "--compressed", "-H", field)
            self.assertEqual(self.curl(*http2), TEXT, coding)

    def test_events(self) -> None:
        """An event reaches the client although the endpoint sends no more."""
        client = self.connect()
        client.send(b"GET /events HTTP/1.1\r\nHost: a.example\r\nAccept-Encoding: gzip\r\n\r\n")
        client.read_head()
        decoder, decoded = zlib.decompressobj(31), b""
        while decoded != b"data: 1\n\n":
            line = b""
            while not line.endswith(b"\r\n"):
                line += client.read_exactly(1)
            decoded += decoder.decompress(client.read_exactly(int(line, 16) + 2)[:-2])

    def test_memory(self) -> None:
        """Very large responses to clients that do not read are not kept in memory."""
        before = self.process.memory
        clients = [self.connect() for _ in range(8)]
        for client, coding in zip(clients, ("gzip", "br", "zstd", "gzip") * 2, strict=True):
            accepted = f"Accept-Encoding: {coding}\r\n\r\n".encode()
            client.send(b"GET /much HTTP/1.1\r\nHost: a.example\r\n" + accepted)
        for client in clients:
            client.read_head()
        self.assertEqual(self.curl(), TEXT)
        self.assertLess(self.process.memory - before, 48 << 10)

    def test_shown(self) -> None:
        """The routing table has the codings of each rule."""
        url = f"http://127.0.0.1:{self.process.port('admin')}/snapshot"
        done = run("curl", "-sS", "--fail", url)
        (host,) = yaml.safe_load(done.stdout)["hosts"]
        expected = {"zstd": 3, "br": 4, "gzip": 9}
        self.assertEqual(host["paths"][0]["compression"], expected)


class WorkersTests(ProcessTestCase):
    """Workers have threads of their own."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        endpoint = cls.keep(RawEndpoint(serve))
        cls.serve(
            folder,
            ingress_manifest("web", "a.example", {"/": "web"}),
            *served_manifests("web", endpoint.port),
            compression={"gzip": {"enabled": True, "level": 9}},
            workers=2,
        )

    def test_in_threads(self) -> None:
        """A level that takes long works in every worker."""
        url = f"http://127.0.0.1:{self.process.port('http')}/text"
        for _ in range(8):
            done = run("curl", "-sS", "--compressed", "-H", "Host: a.example", url)
            self.assertEqual(done.stdout, TEXT)
