"""
What clients of gRPC get where no endpoint answers, and calls that last, through a real process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc

from tests.e2e.case import ProcessTestCase
from tests.support.certs import CertificateAuthority
from tests.support.endpoints import RawEndpoint
from tests.support.grpc_channel import TIMEOUT, GRPCService, same
from tests.support.grpc_service import TICK, TICKS
from tests.support.h2_socket import H2Socket, Pairs, SocketAnswer
from tests.support.manifest import (
    Manifest,
    endpoint_manifests,
    ingress_manifest,
    opaque_manifest,
    secret_manifest,
    service_manifest,
)

GRPC: Pairs = (("content-type", "application/grpc+proto"), ("te", "trailers"))
MESSAGE = b"\0\0\0\0\5hello"
OPEN = {"backend-protocol": "GRPC", "ssl-redirect": "false"}


def unread(connection: Any) -> None:
    """An endpoint that takes everything and says nothing."""
    while connection.recv(65_536):
        pass


class GRPCAnswerTests(ProcessTestCase):
    """A process with little patience, and one host for each reason to answer."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        service = cls.keep(GRPCService())
        silent = cls.keep(RawEndpoint(unread))
        gone = RawEndpoint(unread)
        gone.stop()
        echo = cls.echo("web")
        ports = {"grpc": service.port, "silent": silent.port, "gone": gone.port, "web": echo.port}
        cls.serve(
            folder,
            secret_manifest("pair", CertificateAuthority().issue("redirected.example")),
            opaque_manifest("users", auth="ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n"),
            *(service_manifest(name) for name in ports),
            *(one for name, port in ports.items() for one in endpoint_manifests(name, port)),
            cls.ingress("open", "grpc"),
            cls.ingress("closed", "grpc", {"whitelist-source-range": "10.0.0.0/8"}),
            cls.ingress("small", "grpc", {"proxy-body-size": "1k"}),
            cls.ingress("limited", "grpc", {"limit-rpm": "1", "limit-burst-multiplier": "1"}),
            cls.ingress("asking", "grpc", {"auth-type": "basic", "auth-secret": "users"}),
            cls.ingress("missing", "nowhere"),
            cls.ingress("gone", "gone"),
            cls.ingress("silent", "silent", {"proxy-read-timeout": "1"}),
            cls.ingress("web", "web", {"backend-protocol": "HTTP"}),
            ingress_manifest(
                "redirected",
                "redirected.example",
                {"/": "grpc"},
                tls={"pair": ["redirected.example"]},
                annotations={"backend-protocol": "GRPC"},
            ),
            limits={"body-timeout": 1, "read-timeout": 1},
        )

    @classmethod
    def ingress(cls, name: str, service: str, others: dict[str, str] | None = None) -> Manifest:
        annotations = {**OPEN, **(others or {})}
        return ingress_manifest(name, f"{name}.example", {"/": service}, annotations=annotations)

    def call(
        self, name: str, fields: Pairs = GRPC, *, path: str = "/t.T/Echo", body: bytes = MESSAGE
    ) -> SocketAnswer:
        with H2Socket(self.process.port("http")) as client:
            client.h2.config.validate_outbound_headers = False
            client.h2.config.normalize_outbound_headers = False
            return client.ask(f"{name}.example", path, fields, method="POST", body=body)

    def check(self, name: str, status: int, part: str = "", **arguments: Any) -> SocketAnswer:
        """Check that a call gets this status of gRPC, in a head that is its trailers as well."""
        answer = self.call(name, **arguments)
        self.assertEqual((answer.status, answer.field("grpc-status")), (200, str(status)), name)
        self.assertEqual(answer.field("content-type"), "application/grpc")
        self.assertIn(part, answer.field("grpc-message") or "", name)
        self.assertEqual((answer.body, answer.trailers, answer.reset), (b"", [], None), name)
        return answer

    def test_statuses(self) -> None:
        """Each answer of the proxy's own is a status of gRPC, and says why."""
        self.assertEqual(self.call("open").field("grpc-status"), "0")
        self.check("nobody", 12, "No rule matches")
        self.check("closed", 7, "may not use this path")
        self.check("asking", 16)
        self.check("missing", 14)
        self.check("gone", 14, "refused the connection")
        self.check("silent", 14)
        self.check("small", 8, body=b"\0\0\0\x08\0" + bytes(2048))

    def test_no_exchange(self) -> None:
        """So is the refusal of a head that becomes no exchange, where it can be answered."""
        long = ("x", "y" * 30_000)
        for status, fields in (
            ("13", (*GRPC, ("bad name", "x"))),
            ("13", (("connection", "close"), *GRPC)),
            ("13", (*GRPC, ("content-length", "999999"))),
            ("13", (*GRPC, long, long, long)),
            ("13", (long, long, long, *GRPC)),
            ("13", (*GRPC, ("host", "other.example"))),
        ):
            answer = self.call("open", fields)
            self.assertEqual((answer.status, answer.field("grpc-status")), (200, status), fields[0])
            self.assertEqual((answer.field("content-type"), answer.body), ("application/grpc", b""))
        answer = self.call("open", path=f"/{'x' * 40_000}")
        self.assertEqual((answer.status, answer.field("grpc-status")), (200, "2"))
        answer = self.call("open", (("content-type", "application/grpc-web"), ("bad name", "x")))
        self.assertEqual(answer.status, 400)
        self.assertEqual(self.call("open").field("grpc-status"), "0")

    def test_limited(self) -> None:
        """What a limit refuses is exhausted, though its status is that of a Service that is gone."""
        answers = [self.call("limited").field("grpc-status") for _ in range(5)]
        self.assertEqual((answers[0], answers[-1]), ("0", "8"))

    def test_redirect(self) -> None:
        """A redirect is no answer that a client of gRPC follows: it is told where to go."""
        self.check("redirected", 2, "https://redirected.example")

    def test_slow_body(self) -> None:
        """A request that stops half-way is told that it was given up."""
        with H2Socket(self.process.port("http")) as client:
            stream_id = client.begin("open.example", "/t.T/Echo", GRPC, method="POST", is_end=False)
            client.read_until(lambda: client.answers[stream_id].is_over)
            answer = client.answers[stream_id]
        self.assertEqual((answer.status, answer.field("grpc-status")), (200, "14"))

    def test_others(self) -> None:
        """gRPC-Web, other types and other versions of HTTP get answers of HTTP."""
        for kind in ("application/grpc-web+proto", "application/grpc-web-text", "text/plain"):
            fields = (("content-type", kind),)
            self.assertEqual(self.call("nobody", fields).status, 404, kind)
            passed = self.call("web", fields)
            self.assertEqual(passed.status, 200)
            self.assertIn(kind, passed.body.decode())
        reply = self.get("/t.T/Echo", "nobody.example", fields="Content-Type: application/grpc\r\n")
        self.assertEqual(reply.status, 404)

    def test_trailers_only(self) -> None:
        """An endpoint's answer that is nothing but trailers stays that: one head, and the end."""
        answer = self.call("open", path="/t.T/Unknown")
        self.assertEqual(answer.field("grpc-status"), "12")
        self.assertEqual((answer.trailers, answer.body), ([], b""))

    # Calls that last.

    def channel(self) -> Any:
        options = [
            ("grpc.default_authority", "open.example"),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        channel = grpc.insecure_channel(f"127.0.0.1:{self.process.port('http')}", options=options)
        self.addCleanup(channel.close)
        return channel

    def test_long_answer(self) -> None:
        """A client that has said all for now gets answers for longer than a body may pause."""
        is_over = threading.Event()
        self.addCleanup(is_over.set)

        def messages() -> Iterator[bytes]:
            yield b"tick"
            is_over.wait(TIMEOUT)

        began = time.monotonic()
        answers = self.channel().stream_stream("/t.T/Ticks", same, same)(
            messages(), timeout=TIMEOUT
        )
        self.assertEqual([next(answers) for _ in range(TICKS)], [b"tick"] * TICKS)
        # Else nothing was shown: the limit is a second, and times are looked at once a second.
        self.assertGreater(time.monotonic() - began, 2)

    def test_long_question(self) -> None:
        """An endpoint that answers in the end may listen for longer than an answer may take."""

        def messages() -> Iterator[bytes]:
            for _ in range(TICKS):
                yield b"x"
                threading.Event().wait(TICK)

        joined = self.channel().stream_unary("/t.T/Joined", same, same)
        self.assertEqual(joined(messages(), timeout=TIMEOUT), b",".join([b"x"] * TICKS))

    def test_cancelled(self) -> None:
        """
        The endpoint learns of calls that are cancelled: else these would keep all of its threads,
        which are 16.
        """
        channel = self.channel()
        echo = channel.unary_unary("/t.T/Echo", same, same)
        calls = [echo.future(b"slow", timeout=TIMEOUT) for _ in range(16)]
        for call in calls:
            call.cancel()
        self.assertEqual(echo(b"next", timeout=TIMEOUT), b"next")
