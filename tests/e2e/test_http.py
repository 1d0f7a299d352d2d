"""
HTTP from outside: routes, fields and bodies through a real process.
"""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import ClassVar

from tests.e2e.case import ProcessTestCase, run
from tests.support.client import HTTPClient
from tests.support.corpus import (
    BAD_CHUNKED_BODIES,
    BAD_REQUESTS,
    FRAMING_TRAILERS,
    TOO_LARGE_REQUESTS,
)
from tests.support.endpoints import (
    EchoEndpoint,
    RawEndpoint,
    RefusingEndpoint,
    answering,
    read_head,
)
from tests.support.manifest import external_manifest, ingress_manifest, served_manifests
from tests.support.process import wait_until

MIB = 1024 * 1024

BODY_SIZE = 64 * MIB

GROWTH = 16 * 1024
"""KiB of memory that streaming may take at most: a quarter of a body."""


class RoutingTests(ProcessTestCase):
    """Which endpoint answers, and what it is told."""

    web: ClassVar[EchoEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web = cls.echo("web")
        exact, wild, anyone = cls.echo("exact"), cls.echo("wild"), cls.echo("anyone")
        cls.serve(
            folder,
            ingress_manifest("web", "a.example", {"/app": "web", "=/app/exact": "exact"}),
            ingress_manifest("text", "text.example", {"~/pre": "web"}),
            ingress_manifest("wild", "*.wild.example", {"/": "wild"}),
            ingress_manifest("anyone", "", {"/": "anyone"}),
            ingress_manifest("named", "named.example", {"/": "named", "/nowhere": "nowhere"}),
            external_manifest("named", "localhost", cls.web.port),
            external_manifest("nowhere", "nowhere.invalid", 80),
            *served_manifests("web", cls.web.port),
            *served_manifests("exact", exact.port),
            *served_manifests("wild", wild.port),
            *served_manifests("anyone", anyone.port),
        )

    def test_path_types(self) -> None:
        """Prefix goes by elements, Exact by the whole, ImplementationSpecific by text."""
        for host, target, name in (
            ("a.example", "/app", "web"),
            ("a.example", "/app/", "web"),
            ("a.example", "/app/x", "web"),
            ("a.example", "/app/exact", "exact"),
            ("a.example", "/app/exact/", "web"),
            ("text.example", "/prefixed", "web"),
        ):
            reply = self.get(target, host)
            self.assertEqual((target, reply.status), (target, 200))
            self.assertEqual((target, reply.echo["name"]), (target, name))

    def test_external_name(self) -> None:
        """An ExternalName is resolved before anything is served; one that leads nowhere is 502."""
        self.assertEqual(self.get("/", "named.example").echo["name"], "web")
        self.assertEqual(self.get("/nowhere", "named.example").status, 502)

    def test_no_path(self) -> None:
        """A known host's unknown path is 404 and goes to no other host's rules."""
        self.assertEqual(self.get("/apple").status, 404)
        self.assertEqual(self.get("/", "text.example").status, 404)

    def test_hosts(self) -> None:
        """Hosts are compared without case, port and trailing dot; a wildcard is one label."""
        for host, name in (
            ("A.Example", "web"),
            ("a.example:8080", "web"),
            ("a.example.", "web"),
            ("x.wild.example", "wild"),
            ("x.y.wild.example", "anyone"),
            ("wild.example", "anyone"),
            ("127.0.0.1", "anyone"),
            ("[::1]:8080", "anyone"),
        ):
            self.assertEqual((host, self.get("/app", host).echo["name"]), (host, name))

    def test_methods(self) -> None:
        """The method reaches the endpoint."""
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            reply = self.connect().request("/app", method=method)
            self.assertEqual(reply.echo["method"], method)

    def test_head(self) -> None:
        """HEAD has the length of the body and no body; the connection goes on."""
        client = self.connect()
        reply = client.request("/app", method="HEAD")
        self.assertGreater(int(reply.field("Content-Length") or 0), 0)
        self.assertEqual(reply.body, b"")
        self.assertEqual(client.request("/app").status, 200)

    def test_target_is_untouched(self) -> None:
        """Path and query go upstream byte for byte."""
        for target in (
            "/app/a%2Fb/%7euser//x/./y?q=%zz&&=+%20&a=b?c",
            "/app/%61;v=1?",
            "/app?" + "a" * 8000,
        ):
            self.assertEqual(self.get(target).echo["target"], target)

    def test_fields_in_order_and_number(self) -> None:
        """The client's fields reach the endpoint in order and number, less those of the hop."""
        sent = (
            "B: 1\r\nA: 2\r\nb: 3\r\nCookie: x=1\r\nCookie: y=2\r\nConnection: Hop, close\r\n"
            "Hop: 4\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy: evil\r\nEmpty:\r\n"
        )
        client = self.connect()
        fields = client.request("/app", fields=sent).echo["fields"]
        self.assertEqual(
            fields[:7],
            [
                ["Host", "a.example"],
                ["B", "1"],
                ["A", "2"],
                ["b", "3"],
                ["Cookie", "x=1"],
                ["Cookie", "y=2"],
                ["Empty", ""],
            ],
        )

    def test_forwarded_fields(self) -> None:
        """Nobody's forwarded fields are believed; the endpoint gets ours once each."""
        fields = self.get(
            "/app",
            fields=(
                "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 1.2.3.4\r\n"
                "X_Real_IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Request-ID: mine-1\r\n"
                "ssl-client-verify: SUCCESS\r\n"
            ),
        ).echo["fields"]
        ours = [f"{name}: {value}" for name, value in fields if name != "Host"]
        self.assertRegex(ours[0], "^CDN-Loop: txingress-[0-9a-f]{12}$")
        self.assertEqual(
            ours[1:],
            [
                "X-Request-ID: mine-1",
                "X-Real-IP: 127.0.0.1",
                "X-Forwarded-For: 127.0.0.1",
                "X-Forwarded-Port: 80",
                "X-Forwarded-Proto: http",
                "X-Forwarded-Scheme: http",
                "X-Scheme: http",
                "X-Forwarded-Host: a.example",
                "X-Original-Forwarded-For: 1.2.3.4",
            ],
        )

    def test_curl(self) -> None:
        """curl gets an answer the way a newcomer asks for one."""
        url = f"http://a.example:{self.process.port('http')}/app?x=[1-3]"
        done = run(
            *("curl", "-s", "--connect-to", f"::127.0.0.1:{self.process.port('http')}"),
            *("-w", "%{http_code} %{num_connects}\n", "-o", "/dev/null", url),
        )
        self.assertEqual(done.stdout.split(), [b"200", b"1", b"200", b"0", b"200", b"0"])


class ConnectionTests(ProcessTestCase):
    """Connections are used again on both sides, and end when they have to."""

    web: ClassVar[EchoEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web = cls.echo("web")
        cls.serve(
            folder,
            ingress_manifest("web", "a.example", {"/": "web"}),
            *served_manifests("web", cls.web.port),
        )

    def test_kept_on_both_sides(self) -> None:
        """Requests one after the other need one connection of the client and one to the endpoint."""
        client = self.connect()
        client.request()
        before = self.web.connections
        for _ in range(20):
            self.assertEqual(client.request().status, 200)
        self.assertEqual(self.web.connections, before)

    def test_closed_on_request(self) -> None:
        """``Connection: close`` ends the connection after the answer, which says so."""
        client = self.connect()
        reply = client.request(fields="Connection: close\r\n")
        self.assertEqual(reply.field("Connection"), "close")
        self.assertTrue(client.is_closed)

    def test_pipelined(self) -> None:
        """Requests that come at once are answered in their order."""
        client = self.connect()
        client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a.example\r\n\r\n" % i for i in range(50)))
        targets = [client.read_reply().echo["target"] for _ in range(50)]
        self.assertEqual(targets, [f"/{i}" for i in range(50)])

    def test_http_10(self) -> None:
        """A client of HTTP/1.0 is answered with a length, and its connection closed."""
        client = self.connect()
        client.send(b"GET /old HTTP/1.0\r\nHost: a.example\r\n\r\n")
        reply = client.read_reply()
        self.assertEqual(reply.echo["target"], "/old")
        self.assertTrue(client.is_closed)

    def test_http_10_kept(self) -> None:
        """Unless it asks for the connection to be kept."""
        client = self.connect()
        for _ in range(3):
            client.send(b"GET / HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n")
            self.assertEqual(client.read_reply().field("Connection"), "keep-alive")

    def test_bytewise(self) -> None:
        """A request that comes byte by byte is one request."""
        client = self.connect()
        for byte in b"POST /slow HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc":
            client.send(bytes([byte]))
        self.assertEqual(client.read_reply().echo["length"], 3)

    def test_expect_continue(self) -> None:
        """A client that waits for leave to send its body gets it."""
        done = run(
            *("curl", "-s", "-H", "Host: a.example", "-H", "Expect: 100-continue"),
            *("--expect100-timeout", "20", "--data-binary", "@-", "-w", "%{http_code}"),
            *("-o", "/dev/null", f"http://127.0.0.1:{self.process.port('http')}/"),
            data=b"x" * MIB,
        )
        self.assertEqual(done.stdout, b"200")


class BodyTests(ProcessTestCase):
    """Bodies are streamed both ways, whatever says where they end."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        echo = cls.echo("echo")
        counted = cls.keep(RawEndpoint(_send_body("length")))
        chunked = cls.keep(RawEndpoint(_send_body("chunked")))
        closed = cls.keep(RawEndpoint(_send_body("close")))
        cls.serve(
            folder,
            ingress_manifest(
                "web",
                "a.example",
                {"/": "echo", "/length": "length", "/chunked": "chunked", "/close": "close"},
                annotations={"proxy-body-size": "0"},
            ),
            *served_manifests("echo", echo.port),
            *served_manifests("length", counted.port),
            *served_manifests("chunked", chunked.port),
            *served_manifests("close", closed.port),
        )

    def setUp(self) -> None:
        super().setUp()
        self.get()
        self.process.forget_peak()
        self.before = self.process.memory

    def tearDown(self) -> None:
        self.assertLess(self.process.peak_memory - self.before, GROWTH)
        super().tearDown()

    def test_upload(self) -> None:
        """A large body of known length reaches the endpoint whole."""
        client = self.connect()
        client.send(b"PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n" % BODY_SIZE)
        for _ in range(BODY_SIZE // MIB):
            client.send(bytes(MIB))
        self.assertEqual(client.read_reply().echo["length"], BODY_SIZE)

    def test_chunked_upload(self) -> None:
        """A large body in chunks reaches the endpoint whole."""
        client = self.connect()
        client.send(b"PUT / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(BODY_SIZE // MIB):
            client.send(b"%x\r\n%b\r\n" % (MIB, bytes(MIB)))
        client.send(b"0\r\n\r\n")
        self.assertEqual(client.read_reply().echo["length"], BODY_SIZE)

    def test_download(self) -> None:
        """A large body of known length reaches the client whole."""
        client = self.connect()
        client.send(b"GET /length HTTP/1.1\r\nHost: a.example\r\n\r\n")
        _, _, _, fields = client.read_head()
        self.assertIn(("Content-Length", str(BODY_SIZE)), fields)
        client.skip(BODY_SIZE)
        self.assertEqual(client.request().status, 200)

    def test_chunked_download(self) -> None:
        """A large body in chunks reaches the client whole, and in chunks."""
        reply = self.connect().request("/chunked")
        self.assertEqual(reply.field("Transfer-Encoding"), "chunked")
        self.assertEqual(len(reply.body), BODY_SIZE)

    def test_download_until_close(self) -> None:
        """A body that ends with the endpoint's connection becomes one in chunks."""
        client = self.connect()
        reply = client.request("/close")
        self.assertEqual(reply.field("Transfer-Encoding"), "chunked")
        self.assertEqual(len(reply.body), BODY_SIZE)
        self.assertEqual(client.request().status, 200)

    def test_chunks_for_http_10(self) -> None:
        """A client of HTTP/1.0 gets a body of unknown length until the connection ends."""
        client = self.connect()
        client.send(b"GET /chunked HTTP/1.0\r\nHost: a.example\r\n\r\n")
        _, _, _, fields = client.read_head()
        self.assertNotIn("transfer-encoding", [name.lower() for name, _ in fields])
        client.skip(BODY_SIZE)
        self.assertTrue(client.is_closed)


def _send_body(framing: str):
    """For `RawEndpoint`: each answer a body of `BODY_SIZE` zeros."""
    head = {
        "length": b"Content-Length: %d\r\n\r\n" % BODY_SIZE,
        "chunked": b"Transfer-Encoding: chunked\r\n\r\n",
        "close": b"\r\n",
    }[framing]

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head)
        piece = b"%x\r\n%b\r\n" % (MIB, bytes(MIB)) if framing == "chunked" else bytes(MIB)
        for _ in range(BODY_SIZE // MIB):
            connection.sendall(piece)
        if framing == "chunked":
            connection.sendall(b"0\r\n\r\n")

    return serve


class AnswerTests(ProcessTestCase):
    """What the proxy answers in the endpoint's place."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        web, dead = cls.echo("web"), cls.keep(RefusingEndpoint())
        silent = cls.keep(RawEndpoint(lambda connection: _wait_for_end(connection)))
        nonsense = cls.keep(RawEndpoint(answering(b"SMTP ready\r\n")))
        torn = cls.keep(
            RawEndpoint(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"))
        )
        cls.serve(
            folder,
            ingress_manifest(
                "web",
                "a.example",
                {
                    "/none": "none",
                    "/dead": "dead",
                    "/nonsense": "nonsense",
                    "/torn": "torn",
                    "/half-dead": "half-dead",
                },
                annotations={"proxy-body-size": "0"},
            ),
            ingress_manifest(
                "silent",
                "silent.example",
                {"/": "silent"},
                annotations={"proxy-read-timeout": "1"},
            ),
            *served_manifests("none"),
            *served_manifests("dead", dead.port),
            *served_manifests("silent", silent.port),
            *served_manifests("nonsense", nonsense.port),
            *served_manifests("torn", torn.port),
            *served_manifests("half-dead", dead.port, web.port),
        )

    def test_forms(self) -> None:
        """The body is what the client prefers, with the reason and the request's id."""
        for target, host, status, reason in (
            ("/", "a.example", 404, "no_route"),
            ("/nonsense", "a.example", 502, "endpoint_broke"),
            ("/dead", "a.example", 502, "dial_failed"),
            ("/none", "a.example", 503, "no_endpoint"),
        ):
            for accept, media_type in (
                ("*/*", "text/plain; charset=utf-8"),
                ("text/html,*/*;q=0.1", "text/html; charset=utf-8"),
                ("application/json", "application/json"),
            ):
                reply = self.get(target, host, fields=f"Accept: {accept}\r\nX-Request-ID: me\r\n")
                self.assertEqual((target, reply.status), (target, status))
                self.assertEqual(reply.field("Content-Type"), media_type)
                self.assertIn(reason, reply.text)
                self.assertIn("me", reply.text)
                self.assertEqual(reply.field("X-Request-ID"), "me")

    def test_too_slow(self) -> None:
        """An endpoint that does not answer in time is 504."""
        reply = self.get("/", "silent.example")
        self.assertEqual(reply.status, 504)
        self.assertIn("endpoint_timeout", reply.text)

    def test_other_endpoint(self) -> None:
        """What an endpoint that cannot be reached should have got, another one gets."""
        names = {self.get("/half-dead").echo["name"] for _ in range(6)}
        self.assertEqual(names, {"web"})

    def test_torn_body(self) -> None:
        """A response that breaks off cannot be taken for a whole one."""
        client = self.connect()
        client.send(b"GET /torn HTTP/1.1\r\nHost: a.example\r\n\r\n")
        client.read_head()
        with self.assertRaises(ConnectionError):
            client.read_exactly(100)

    def test_body_of_refused_request(self) -> None:
        """A client that still sends its body can read why it was refused."""
        client = self.connect()
        sending = threading.Thread(target=_send_quietly, args=(client, 20 * MIB))
        sending.start()
        self.addCleanup(sending.join)
        self.assertEqual(client.read_reply().status, 503)


def _wait_for_end(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def _send_quietly(client: HTTPClient, size: int) -> None:
    head = b"POST /none HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n" % size
    try:
        client.send(head + bytes(size))
    except OSError:
        return  # the proxy does not read it all


class RefusalTests(ProcessTestCase):
    """Messages that must be refused, over real sockets."""

    web: ClassVar[EchoEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web = cls.echo("web")
        cls.serve(
            folder,
            ingress_manifest("web", "a", {"/": "web"}),
            *served_manifests("web", cls.web.port),
        )

    def refusal(self, message: bytes) -> int:
        """The status of the only answer, after which the connection ends."""
        with HTTPClient(self.process.port("http")) as client:
            client.send(message)
            status = client.read_reply().status
            self.assertTrue(client.is_closed, message)
            return status

    def test_bad_heads(self) -> None:
        """A head that two parsers could read in two ways is 400, and nothing goes upstream."""
        before = len(self.web.requests)
        smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        for name, message in BAD_REQUESTS.items():
            if not message.startswith(b"PRI "):
                self.assertEqual((name, self.refusal(message + smuggled)), (name, 400))
        self.assertEqual(len(self.web.requests), before)

    def test_preface(self) -> None:
        """After the preface of HTTP/2 nothing is read as HTTP/1.1 any more."""
        before = len(self.web.requests)
        preface = BAD_REQUESTS["preface of HTTP/2"]
        with HTTPClient(self.process.port("http")) as client:
            client.send(preface + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = client.read_to_end()
        self.assertNotIn(b"HTTP/1.1", answer)
        goaway = answer[answer.rindex(b"\x07") - 3 :]
        self.assertIn(b"\x00\x00\x00\x06", goaway, "FRAME_SIZE_ERROR, RFC 9113 section 7")
        self.assertEqual(len(self.web.requests), before)

    def test_too_large(self) -> None:
        """A target or a head that is too large is told as that."""
        for name, (status, message) in TOO_LARGE_REQUESTS.items():
            self.assertEqual((name, self.refusal(message)), (name, status))

    def test_bad_chunks(self) -> None:
        """A chunked body that is none ends its request; what follows is no request."""
        head = b"POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        for name, body in (BAD_CHUNKED_BODIES | FRAMING_TRAILERS).items():
            with HTTPClient(self.process.port("http")) as client:
                client.send(head + body + smuggled)
                self.assertEqual((name, client.read_reply().status), (name, 400))
                self.assertTrue(client.is_closed, name)
        self.assertNotIn("GET /smuggled HTTP/1.1", self.web.requests)

    def test_endpoint_is_left_clean(self) -> None:
        """After all refusals the connections to the endpoint carry whole requests only."""
        with HTTPClient(self.process.port("http")) as client:
            for _ in range(10):
                self.assertEqual(client.request("/clean", "a").echo["target"], "/clean")
        wait_until(lambda: "GET /clean HTTP/1.1" in self.web.requests, "the request")
