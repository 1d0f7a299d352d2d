"""
Hostile clients, broken endpoints and careless authors: each costs itself and nothing else.

After every attack the process answers as before, has as many descriptors as
before, and has written nothing into its log that the attacker could repeat at will.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import yaml

from tests.e2e.case import ProcessTestCase
from tests.support.client import HTTPClient, trusting_all
from tests.support.endpoints import RawEndpoint, answering, read_head
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import wait_until

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9000\r\n\r\n" + bytes(8999)
CHUNKED = b"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

GROWTH = 16 * 1024
"""KiB of memory that an attack may take."""


class AttackTestCase(ProcessTestCase):
    """A process with an endpoint that does as a test says, beside a sound one."""

    behaviour: ClassVar[Callable[[socket.socket], None]]
    descriptors: ClassVar[int]
    """How many there are without any connection."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        broken = cls.keep(RawEndpoint(lambda connection: cls.behaviour(connection)))
        # It closes each connection, so that none stays idle and is counted.
        sound = cls.keep(RawEndpoint(_answer_and_close))
        endless = cls.keep(RawEndpoint(_send_without_end))
        cls.serve(
            folder,
            ingress_manifest(
                "web", "a.example", {"/": "sound", "/broken": "broken", "/endless": "endless"}
            ),
            *served_manifests("sound", sound.port),
            *served_manifests("broken", broken.port),
            *served_manifests("endless", endless.port),
        )
        cls.descriptors = cls.process.descriptors

    def setUp(self) -> None:
        super().setUp()
        self.random = random.Random(1)
        self.assert_serving()
        wait_until(self.has_settled, "rest")
        self.process.forget_peak()
        self.memory = self.process.memory

    def tearDown(self) -> None:
        self.assert_serving()
        wait_until(self.has_settled, "rest")
        self.assertLess(self.process.peak_memory - self.memory, GROWTH)
        super().tearDown()

    def has_settled(self) -> bool:
        """Whether nothing is left of any connection."""
        return self.process.descriptors <= self.descriptors

    def assert_serving(self) -> None:
        self.assertEqual(self.get().text, "hello")

    @contextlib.contextmanager
    def nothing_logged(self) -> Iterator[None]:
        """What is done meanwhile leaves no line in the log."""
        mark = self.process.mark()
        yield
        self.assert_serving()
        # What earlier tests did to the files may still be published meanwhile.
        lines = self.process.log.splitlines()[mark:]
        self.assertEqual([line for line in lines if "Published: " not in line], [])

    def clients(self) -> Iterator[HTTPClient]:
        """A connection to each listener."""
        yield HTTPClient(self.process.port("http"))
        yield HTTPClient(self.process.port("https"), tls=trusting_all())


def _answer_and_close(connection: socket.socket) -> None:
    read_head(connection)
    with contextlib.suppress(TimeoutError):
        connection.sendall(HELLO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))


class HostileClientTests(AttackTestCase):
    """What clients may send, or not."""

    def test_garbage(self) -> None:
        """Bytes at random, to either listener."""
        with self.nothing_logged():
            for listener in ("http", "https") * 40:
                with socket.create_connection(("127.0.0.1", self.process.port(listener))) as one:
                    one.sendall(self.random.randbytes(self.random.randrange(1, 4000)))

    def test_broken_handshakes(self) -> None:
        """A TLS hello with some bytes changed, cut off, or followed by nothing."""
        with self.nothing_logged():
            for _ in range(40):
                hello = bytearray(_client_hello())
                for _ in range(self.random.randrange(3)):
                    hello[self.random.randrange(len(hello))] = self.random.randrange(256)
                address = ("127.0.0.1", self.process.port("https"))
                with socket.create_connection(address) as one:
                    one.sendall(hello[: self.random.randrange(1, len(hello) + 200)])

    def test_resets(self) -> None:
        """A reset, or an end, after each byte of a request's head, and within bodies."""
        messages = [GET[:size] for size in range(0, len(GET), 5)]
        messages += [POST[: self.random.randrange(len(POST))] for _ in range(10)]
        messages += [CHUNKED[: self.random.randrange(len(CHUNKED))] for _ in range(10)]
        with self.nothing_logged():
            for message in messages:
                for end in (HTTPClient.reset, HTTPClient.close):
                    for client in self.clients():
                        client.send(message)
                        end(client)

    def test_reset_within_response(self) -> None:
        """A reset while a large response comes, of which some, or nothing, was read."""
        with self.nothing_logged():
            for size in (0, 1, 10_000, 200_000):
                for client in self.clients():
                    client.send(GET.replace(b"/", b"/endless", 1))
                    if size:
                        client.read_exactly(size)
                    client.reset()

    def test_never_reading(self) -> None:
        """Request after request from a client that reads no answer: it is not listened to."""
        for client in self.clients():
            client.socket.settimeout(0.3)
            with contextlib.suppress(OSError):
                for _ in range(400):
                    client.send(GET.replace(b"/", b"/endless", 1) * 1000)
                self.fail("everything was taken")
            client.close()

    def test_two_thousand_connections(self) -> None:
        """Two thousand connections at once are all served, and somebody else meanwhile."""
        with self.nothing_logged():
            clients = [HTTPClient(self.process.port("http")) for _ in range(2000)]
            self.assert_serving()
            for client in clients:
                client.send(GET.replace(b"a.example", b"nobody.example"))
            for client in clients:
                self.assertEqual(client.read_reply().status, 404)
                client.close()

    def test_slow_heads(self) -> None:
        """Many heads that come byte by byte hold nobody up."""
        clients = [client for _ in range(20) for client in self.clients()]
        for index in range(20):
            for client in clients:
                client.send(GET[index : index + 1])
        self.assert_serving()
        for client in clients:
            client.close()

    def test_huge_heads(self) -> None:
        """Heads without end are refused while they come, and not kept."""
        for beginning in (b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\n"):
            for client in self.clients():
                with contextlib.suppress(ConnectionError, ssl.SSLError):
                    client.send(beginning + b"a: b\r\n" * 1_000_000)
                with contextlib.suppress(ConnectionError, ssl.SSLError):
                    self.assertIn(client.read_reply().status, (400, 414, 431))
                client.close()


def _client_hello() -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        trusting_all().wrap_bio(incoming, outgoing, server_hostname="a.example").do_handshake()
    return outgoing.read()


def _send_without_end(connection: socket.socket) -> None:
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n")
    while True:
        connection.sendall(bytes(65536))


class BrokenEndpointTests(AttackTestCase):
    """What an endpoint may answer, or not."""

    def ask(self, behaviour: Callable[[socket.socket], None], body: bytes = b"") -> int | None:
        """
        What a client gets from an endpoint that behaves so.

        :return: the status of a whole response; None for none, or half of one.
        """
        AttackTestCase.behaviour = behaviour
        with HTTPClient(self.process.port("http")) as client:
            try:
                with contextlib.suppress(BrokenPipeError):
                    reply = client.request("/broken", method="PUT" if body else "GET", body=body)
                    return reply.status
                return client.read_reply().status
            except ConnectionError:
                return None

    def test_cut_anywhere(self) -> None:
        """A response that ends early is 502 while nothing of it was sent on, else it is cut."""
        head_size = HELLO.index(b"hello")
        for size in range(len(HELLO)):
            status = self.ask(answering(HELLO[:size]))
            self.assertEqual((size, status), (size, 502 if size < head_size else None))
        self.assertEqual(self.ask(answering(HELLO)), 200)

    def test_no_response(self) -> None:
        """What is no HTTP response is 502."""
        for name, data in (
            ("nothing", b""),
            ("garbage", self.random.randbytes(5000)),
            ("HTTP/0.9", b"hello"),
            ("another protocol", b"220 smtp ready\r\n"),
            ("unasked 101", b"HTTP/1.1 101 No\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
            ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
            ("head without end", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000),
        ):
            self.assertEqual((name, self.ask(answering(data))), (name, 502))

    def test_more_than_length(self) -> None:
        """What follows a response is not taken for the next one."""
        evil = HELLO.replace(b"hello", b"evil!")
        self.assertEqual(self.ask(answering(HELLO + evil)), 200)
        self.assertEqual(self.ask(answering(HELLO)), 200)

    def test_answer_before_request(self) -> None:
        """An answer before the request has been read ends the exchange, not the client."""
        body = bytes(900_000)

        def answer_early(connection: socket.socket) -> None:
            connection.recv(10)
            connection.sendall(HELLO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            # Not closed before the answer can have been read, as a reset would discard it.
            wait_until(lambda: _has_ended(connection), "the proxy to close")

        self.assertEqual(self.ask(answer_early, body), 200)
        self.assertEqual(self.ask(lambda connection: None, body), 502)

    def test_interim_responses_without_end(self) -> None:
        """Interim responses that never end pile up nowhere, though the client does not read."""
        stopped = threading.Event()
        sent = 0

        def flood(connection: socket.socket) -> None:
            nonlocal sent
            read_head(connection)
            connection.settimeout(0.5)
            with contextlib.suppress(OSError):
                while sent < 100_000_000:
                    sent += connection.send(b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" * 1000)
            stopped.set()

        AttackTestCase.behaviour = flood
        with HTTPClient(self.process.port("http")) as client:
            client.send(GET.replace(b"/", b"/broken", 1))
            self.assertTrue(stopped.wait(30))
        self.assertLess(sent, 100_000_000)

    def test_closed_after_each(self) -> None:
        """An endpoint that says it keeps connections and closes them costs no idempotent request."""
        for _ in range(50):
            self.assertEqual(self.ask(answering(HELLO)), 200)


def _has_ended(connection: socket.socket) -> bool:
    try:
        while connection.recv(65536):
            pass
    except OSError:
        pass
    return True


class CarelessAuthorTests(AttackTestCase):
    """What may lie among manifests."""

    def test_odd_files(self) -> None:
        """Whatever lies there, what is sound is served, and each oddity is a line of the log."""
        folder = self.process.manifests
        sound = yaml.safe_dump(ingress_manifest("late", "late.example", {"/": "sound"}))
        (folder / "loop").symlink_to(folder)
        (folder / "nowhere.yaml").symlink_to("nothing")
        (folder / "circle.yaml").symlink_to("circle.yaml")
        os.mkfifo(folder / "pipe.yaml")
        (folder / "folder.yaml").mkdir()
        (folder / "binary.yaml").write_bytes(self.random.randbytes(100_000))
        (folder / "zeros.yaml").write_bytes(bytes(100_000))
        (folder / "wrong.json").write_text('{"kind": ')
        (folder / "deep.json").write_text("[" * 100_000)
        (folder / "deep.yaml").write_text("- " * 100_000)
        (folder / "laughs.yaml").write_text(_billion_laughs())
        (folder / "tag.yaml").write_text("!!python/object/apply:os.system [touch evil]\n")
        (folder / "scalar.yaml").write_text("hello\n")
        with open(folder / "huge.yaml", "wb") as huge:
            huge.truncate(2 << 30)
        (folder / "sound.yaml").write_text(sound)
        odd = ("nowhere", "circle", "pipe", "binary", "zeros", "wrong", "deep", "laughs", "tag")
        wait_until(lambda: self.get(host="late.example").status == 200, "the sound one")
        for name in (*odd, "scalar", "huge"):
            self.process.wait_for_line(
                rf"#warn\] [A-Z]+\d+ \S*/{name}\.(yaml|json)\b", since=self.mark
            )
        for path in folder.iterdir():
            if path.name == "folder.yaml":
                path.rmdir()
            elif path.name != "all.yaml":
                path.unlink()
        wait_until(lambda: self.get(host="late.example").status == 404, "the end")

    def test_files_that_vanish(self) -> None:
        """Files that come and go while they are read, and are named strangely."""
        text = yaml.safe_dump(ingress_manifest("brief", "brief.example", {"/": "sound"}))
        names = ["brief.yaml", "new\nline.yaml", "é.yaml", "\udcff.yaml", " .yaml", "-rf.yaml"]
        for round_ in range(20):
            for name in names:
                (self.process.manifests / name).write_text(text[: round_ * 20 or None])
            for name in names:
                (self.process.manifests / name).unlink()
        last = self.process.manifests / "last.yaml"
        last.write_text(text)
        wait_until(lambda: self.get(host="brief.example").status == 200, "the last one")
        last.unlink()
        wait_until(lambda: self.get(host="brief.example").status == 404, "its end")


def _billion_laughs() -> str:
    """Ten aliases of ten aliases and so on: small as text, endless as objects."""
    lines = ["a0: &a0 [lol, lol]"]
    lines += [
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 12)
    ]
    return "\n".join(lines) + "\n"
