"""
The limits of the configuration that only a whole process can show.
"""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from tests.e2e.case import ProcessTestCase
from tests.support.client import READ_SIZE, HTTPClient, Reply
from tests.support.endpoints import RawEndpoint, read_head
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.metrics import sample_value
from tests.support.process import PATIENCE

REQUEST = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"

LIMITS = {
    "tls-handshake-timeout": 1,
    "head-timeout": 1,
    "body-timeout": 1,
    "keep-alive-timeout": 1,
    "keep-alive-requests": 2,
    "linger-timeout": 1,
    "head-size": "1500",
    "head-fields": 10,
    "target-size": 512,
    "body-size": 100,
    "connections-per-client": 24,
    "read-timeout": 1,
}
"""Those that a client can see; of the others there are tests where they are obeyed."""


class ConnectionLimitTests(ProcessTestCase):
    """``limits.connections``, over all clients."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        web = cls.echo("web")
        cls.serve(
            folder,
            ingress_manifest("web", "a.example", {"/": "web"}),
            *served_manifests("web", web.port),
            limits={"connections": 1},
        )

    def test_one_at_a_time(self) -> None:
        """A connection more than may be open waits for one to close; the limit applies live."""
        first, second = self.connect(), self.connect()
        self.assertEqual(first.request("/", "a.example").status, 200)
        second.send(REQUEST)
        self.process.wait_for_line("All 1 connections are in use", since=self.mark)
        first.close()
        self.assertEqual(second.read_reply().status, 200)

        self.process.configure(limits={"connections": 2})
        self.process.wait_for_line("the changed configuration is applied", since=self.mark)
        self.addCleanup(self.process.configure, limits={"connections": 1})
        self.assertEqual(self.connect().request("/", "a.example").status, 200)


class SharesTests(ProcessTestCase):
    """Sixteen connections, and somebody who would like to have them all."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        web, slow = cls.echo("web"), cls.keep(RawEndpoint(answer_slowly))
        cls.serve(
            folder,
            ingress_manifest("web", "a.example", {"/": "web"}),
            ingress_manifest("slow", "slow.example", {"/": "slow"}),
            *served_manifests("web", web.port),
            *served_manifests("slow", slow.port),
            limits={"connections": 16},
        )

    def connect_from(self, address: str) -> socket.socket:
        client = socket.create_connection(
            ("127.0.0.1", self.process.port("http")), PATIENCE, source_address=(address, 0)
        )
        self.addCleanup(client.close)
        return client

    def metric(self, name: str, **labels: str) -> float | None:
        with HTTPClient(self.process.port("admin")) as client:
            return sample_value(client.request("/metrics", "localhost").text, name, **labels)

    def test_one_client(self) -> None:
        """A client that has all connections gives way for others, and gets no more itself."""
        held = [self.connect_from("127.0.0.2") for _ in range(16)]
        for client in held:
            client.sendall(REQUEST)
            self.assertTrue(client.recv(READ_SIZE).startswith(b"HTTP/1.1 200 "))
        for _ in range(4):
            self.assertEqual(self.get().status, 200)
        self.assertIn(self.metric("txingress_connections_given_up_total"), (1, 2, 3, 4))
        other = self.connect_from("127.0.0.3")
        other.sendall(REQUEST)
        self.assertTrue(other.recv(READ_SIZE).startswith(b"HTTP/1.1 200 "))
        late = self.connect_from("127.0.0.2")
        with contextlib.suppress(ConnectionError):
            late.sendall(REQUEST)
            self.assertEqual(late.recv(READ_SIZE), b"")
        refusals = self.metric("txingress_share_refusals_total", share="connections")
        self.assertEqual(refusals, 1)

    def test_one_rule(self) -> None:
        """A rule whose endpoint hangs gets no more requests, and other rules do."""
        request = REQUEST.replace(b"a.example", b"slow.example")
        held = [self.connect_from(f"127.0.1.{number}") for number in range(1, 13)]
        for client in held:
            client.sendall(request)
        late = self.connect_from("127.0.1.13")
        late.sendall(request)
        answer = late.recv(READ_SIZE)
        self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)
        self.assertEqual(self.get().status, 200)
        refused = self.metric("txingress_share_refusals_total", share="route")
        self.assertIn(refused, range(1, 14))
        overloaded = self.metric("txingress_exchanges_total", outcome="overloaded")
        self.assertEqual(overloaded, refused)


def answer_slowly(accepted: socket.socket) -> None:
    """Read a request, and answer when nobody waits any more."""
    read_head(accepted)
    accepted.recv(1)


class EveryLimitTests(ProcessTestCase):
    """Each key of ``limits`` does what ``etc/ingress.yaml`` says; all times are short here."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        web, slow = cls.echo("web"), cls.keep(RawEndpoint(answer_slowly))
        cls.serve(
            folder,
            ingress_manifest("web", "a.example", {"/": "web", "/slow": "slow"}),
            *served_manifests("web", web.port),
            *served_manifests("slow", slow.port),
            limits=LIMITS,
        )

    def head(self, *fields: str, target: str = "/") -> Reply:
        return self.get(target, fields="".join(f"{field}\r\n" for field in fields))

    def test_sizes(self) -> None:
        """A head, its fields, a target and a body may have so much and no more."""
        for reply, status in (
            (self.head(f"X: {'x' * 1000}"), 200),
            (self.head(f"X: {'x' * 2000}"), 431),
            (self.head(*["X: x"] * 8), 200),
            (self.head(*["X: x"] * 9), 431),
            (self.head(target=f"/{'x' * 400}"), 200),
            (self.head(target=f"/{'x' * 600}"), 414),
            (self.connect().request(method="POST", body=b"x" * 100), 200),
            (self.connect().request(method="POST", body=b"x" * 101), 413),
        ):
            self.assertEqual(reply.status, status)

    def test_requests(self) -> None:
        """A connection ends after so many requests."""
        client = self.connect()
        self.assertIsNone(client.request().field("Connection"))
        self.assertEqual(client.request().field("Connection"), "close")
        self.assertTrue(client.is_closed)

    def test_client_times(self) -> None:
        """A head, a body, an idle connection, a handshake and a refused rest have their times."""
        head, body, idle, refused = (self.connect() for _ in range(4))
        with socket.create_connection(("127.0.0.1", self.process.port("https"))) as handshake:
            head.send(b"GET / HTTP/1.1\r\n")
            body.send(b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nx")
            self.assertEqual(idle.request().status, 200)
            refused.send(b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 999\r\n\r\n")
            self.assertEqual(head.read_reply().status, 408)
            self.assertEqual(body.read_reply().status, 408)
            self.assertEqual(refused.read_reply().status, 413)
            self.assertTrue(idle.is_closed)
            self.assertTrue(refused.is_closed)
            handshake.settimeout(PATIENCE)
            self.assertEqual(handshake.recv(1), b"")

    def test_endpoint_time(self) -> None:
        """An endpoint that does not answer is given up."""
        self.assertEqual(self.get("/slow").status, 504)

    def test_of_a_client(self) -> None:
        """A client has so many connections; one more is closed at once."""
        port = self.process.port("http")
        answers = []
        for _ in range(25):
            # An address of its own, which has no connections of other tests.
            client = socket.create_connection(
                ("127.0.0.1", port), PATIENCE, source_address=("127.0.0.2", 0)
            )
            self.addCleanup(client.close)
            try:
                client.sendall(REQUEST)
                answers.append(client.recv(4))
            except ConnectionError:
                answers.append(b"")
        self.assertEqual(answers, [b"HTTP"] * 24 + [b""])
