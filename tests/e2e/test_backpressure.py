"""
Who reads slowly holds back who sends: nothing piles up in the process.
"""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import ClassVar

from tests.e2e.case import ProcessTestCase
from tests.support.client import HTTPClient, trusting_all
from tests.support.endpoints import RawEndpoint, read_head
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import wait_until

MIB = 1024 * 1024

BODY_SIZE = 200 * MIB

GROWTH = 8 * 1024
"""KiB of memory that a stalled body may take: what the buffers of a connection hold, and no more."""

STALLED = 5
"""Looks, 10 ms apart, in which a sender got nothing rid of: then it is held back."""


class Progress:
    """How many bytes a side has got rid of."""

    def __init__(self) -> None:
        self.sent = 0
        self._seen = -1
        self._looks = 0

    def is_stalled(self) -> bool:
        """Whether nothing moved for a while, after something had."""
        if self.sent != self._seen:
            self._seen, self._looks = self.sent, 0
        self._looks += 1
        return self.sent > 0 and self._looks > STALLED


class BackpressureTests(ProcessTestCase):
    """One side sends 200 MiB, the other one reads nothing for a while, then everything."""

    progress: ClassVar[Progress]
    may_read: ClassVar[threading.Event]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        source, drain = cls.keep(RawEndpoint(cls.send_much)), cls.keep(RawEndpoint(cls.read_late))
        cls.serve(
            folder,
            ingress_manifest(
                "web",
                "a.example",
                {"/source": "source", "/drain": "drain"},
                annotations={"proxy-body-size": "0"},
            ),
            *served_manifests("source", source.port),
            *served_manifests("drain", drain.port),
        )

    @classmethod
    def send_much(cls, connection: socket.socket) -> None:
        """An endpoint whose response is large."""
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BODY_SIZE)
        _send(connection, cls.progress)

    @classmethod
    def read_late(cls, connection: socket.socket) -> None:
        """An endpoint that reads the request's body when it may."""
        read_head(connection)
        cls.may_read.wait()
        left = BODY_SIZE
        while left and (data := connection.recv(min(left, MIB))):
            left -= len(data)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    def setUp(self) -> None:
        type(self).progress = Progress()
        type(self).may_read = threading.Event()
        self.addCleanup(self.may_read.set)
        super().setUp()
        self.get("/other")
        self.process.forget_peak()
        self.before = self.process.memory

    def download(self, client: HTTPClient) -> None:
        client.send(b"GET /source HTTP/1.1\r\nHost: a.example\r\n\r\n")
        client.read_head()
        wait_until(self.progress.is_stalled, "the endpoint to be held back")
        self.assertLess(self.progress.sent, BODY_SIZE // 2)
        client.skip(BODY_SIZE)
        self.assertEqual(client.request("/other").status, 404)
        self.assert_small()

    def upload(self, client: HTTPClient) -> None:
        client.send(
            b"PUT /drain HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n" % BODY_SIZE
        )
        sending = threading.Thread(target=_send, args=(client.socket, self.progress))
        sending.start()
        self.addCleanup(sending.join)
        wait_until(self.progress.is_stalled, "the client to be held back")
        self.assertLess(self.progress.sent, BODY_SIZE // 2)
        self.may_read.set()
        self.assertEqual(client.read_reply().status, 204)
        self.assert_small()

    def assert_small(self) -> None:
        self.assertLess(self.process.peak_memory - self.before, GROWTH)

    def connect_tls(self) -> HTTPClient:
        client = HTTPClient(self.process.port("https"), tls=trusting_all())
        self.addCleanup(client.close)
        return client

    def test_slow_client(self) -> None:
        """A client that does not read holds the endpoint back."""
        self.download(self.connect())

    def test_slow_client_over_tls(self) -> None:
        """The same over TLS."""
        self.download(self.connect_tls())

    def test_slow_endpoint(self) -> None:
        """An endpoint that does not read holds the client back."""
        self.upload(self.connect())

    def test_slow_endpoint_for_tls_client(self) -> None:
        """The same where the client comes over TLS."""
        self.upload(self.connect_tls())


def _send(connection: socket.socket, progress: Progress) -> None:
    piece = bytes(MIB)
    while progress.sent < BODY_SIZE:
        progress.sent += connection.send(piece[: BODY_SIZE - progress.sent])
