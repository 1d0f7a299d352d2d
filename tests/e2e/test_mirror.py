"""
Copies of requests (`mirror-target`): whatever becomes of them, the requests themselves are served.
"""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import ClassVar

from tests.e2e.case import ProcessTestCase
from tests.support.client import HTTPClient
from tests.support.endpoints import (
    EchoEndpoint,
    RawEndpoint,
    RefusingEndpoint,
    answering,
    read_head,
)
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.metrics import sample_value
from tests.support.process import wait_until

MIB = 1024 * 1024

UPLOAD = 100 * MIB

GROWTH = 8 * 1024
"""KiB of memory that an upload may take, beside a server that reads nothing of its copy."""

TIMES = 20

HUGE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * MIB)


class MirrorTests(ProcessTestCase):
    """One Service, and a mirror of each kind."""

    shadow: ClassVar[EchoEndpoint]
    may_end: ClassVar[threading.Event]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        web, cls.shadow = cls.echo("web"), cls.echo("shadow")
        cls.may_end = threading.Event()
        cls.resources.callback(cls.may_end.set)
        mirrors: dict[str, EchoEndpoint | RawEndpoint | RefusingEndpoint] = {
            "good": cls.shadow,
            "dead": cls.keep(RefusingEndpoint()),
            "silent": cls.keep(RawEndpoint(cls.read_nothing)),
            "broken": cls.keep(
                RawEndpoint(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"))
            ),
            "failing": cls.keep(
                RawEndpoint(
                    answering(b"HTTP/1.1 500 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                )
            ),
            "huge": cls.keep(RawEndpoint(cls.send_much)),
        }
        manifests: list[object] = []
        for name, server in mirrors.items():
            target = f"http://{name}.default.svc.cluster.local/copy$request_uri"
            annotations = {"mirror-target": target, "proxy-body-size": "0"}
            manifests.append(
                ingress_manifest(
                    name, f"{name}.example", {"/": "web", "/up": "drain"}, annotations=annotations
                )
            )
            manifests += served_manifests(name, server.port)
        drain = cls.keep(RawEndpoint(cls.drain))
        cls.serve(
            folder,
            *manifests,
            *served_manifests("web", web.port),
            *served_manifests("drain", drain.port),
        )

    @classmethod
    def read_nothing(cls, connection: socket.socket) -> None:
        """A server that reads nothing beyond the head, and says nothing."""
        read_head(connection)
        cls.may_end.wait()

    @classmethod
    def send_much(cls, connection: socket.socket) -> None:
        """A server whose answer has no end in sight."""
        read_head(connection)
        connection.sendall(HUGE)
        for _ in range(64):
            connection.sendall(bytes(MIB))

    @classmethod
    def drain(cls, connection: socket.socket) -> None:
        """An endpoint that reads all of the body."""
        read_head(connection)
        left = UPLOAD
        while left and (data := connection.recv(min(left, MIB))):
            left -= len(data)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    def copies(self, result: str) -> float:
        """How many copies have come to this."""
        with HTTPClient(self.process.port("admin")) as client:
            text = client.request("/metrics", "localhost").text
        return sample_value(text, "txingress_mirror_copies_total", result=result) or 0.0

    def ask(self, name: str, result: str) -> None:
        """All requests are answered as ever, and their copies come to a result."""
        before = self.copies(result)
        with HTTPClient(self.process.port("http")) as client:
            for number in range(TIMES):
                reply = client.request(f"/{number}", f"{name}.example", method="POST", body=b"x")
                self.assertEqual((reply.status, reply.echo["name"]), (200, "web"))
        wait_until(lambda: self.copies(result) == before + TIMES, f"{TIMES} times {result}")

    def test_copied(self) -> None:
        """A mirror gets each request, with another target."""
        del self.shadow.requests[:]
        self.ask("good", "sent")
        expected = [f"POST /copy/{number} HTTP/1.1" for number in range(TIMES)]
        self.assertEqual(sorted(self.shadow.requests), sorted(expected))

    def test_dead(self) -> None:
        """Nobody listens there."""
        self.ask("dead", "failed")

    def test_broken(self) -> None:
        """It closes in the middle of its answer."""
        self.ask("broken", "failed")

    def test_failing(self) -> None:
        """It answers 500."""
        self.ask("failing", "sent")

    def test_huge(self) -> None:
        """Its answer is too long to be read."""
        self.process.forget_peak()
        before = self.process.memory
        self.ask("huge", "sent")
        self.assertLess(self.process.peak_memory - before, GROWTH)

    def test_silent(self) -> None:
        """It does not answer; no request waits for that."""
        with HTTPClient(self.process.port("http")) as client:
            for _ in range(TIMES):
                self.assertEqual(client.request("/", "silent.example").status, 200)

    def test_upload(self) -> None:
        """It reads nothing of 100 MiB: its copy is dropped, and nothing piles up."""
        before_slow = self.copies("slow")
        self.get("/", "silent.example")
        self.process.forget_peak()
        before = self.process.memory
        with HTTPClient(self.process.port("http")) as client:
            client.send(
                b"PUT /up HTTP/1.1\r\nHost: silent.example\r\nContent-Length: %d\r\n\r\n" % UPLOAD
            )
            for _ in range(UPLOAD // MIB):
                client.send(bytes(MIB))
            self.assertEqual(client.read_reply().status, 204)
        self.assertLess(self.process.peak_memory - before, GROWTH)
        self.assertEqual(self.copies("slow"), before_slow + 1)
