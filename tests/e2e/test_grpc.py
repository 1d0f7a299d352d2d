"""
gRPC through a real process: clients and servers of the official library, in the clear and over TLS.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import grpc

from tests.e2e.case import ProcessTestCase
from tests.support.certs import CertificateAuthority
from tests.support.grpc_channel import TIMEOUT, GRPCService, same
from tests.support.manifest import (
    endpoint_manifests,
    ingress_manifest,
    secret_manifest,
    service_manifest,
)
from tests.support.process import wait_until

HOST = "grpc.example"
SAFE_HOST = "grpcs.example"


class GRPCProcessTestCase(ProcessTestCase):
    """A process in front of two services, one of them with TLS."""

    authority: ClassVar[CertificateAuthority]
    authorities: ClassVar[Path]
    """A file with the certificate of the authority."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.authority = CertificateAuthority()
        issued = cls.authority.issue(SAFE_HOST, HOST)
        cls.authorities = folder / "authorities.pem"
        cls.authorities.write_bytes(cls.authority.root_pem)
        (folder / "chain.pem").write_bytes(issued.chain_pem)
        (folder / "key.pem").write_bytes(issued.key_pem)
        plain = cls.keep(GRPCService())
        secure = cls.keep(GRPCService(str(folder / "chain.pem"), str(folder / "key.pem")))
        limits = {"proxy-body-size": "8m"}
        cls.serve(
            folder,
            *(
                manifest
                for name, port in (("plain", plain.port), ("secure", secure.port))
                for manifest in (service_manifest(name), *endpoint_manifests(name, port))
            ),
            secret_manifest("pair", issued),
            ingress_manifest(
                "plain", HOST, {"/": "plain"}, tls={"pair": [HOST]},
                annotations={"backend-protocol": "GRPC", "ssl-redirect": "false", **limits},
            ),
            ingress_manifest(
                "secure", SAFE_HOST, {"/": "secure"}, tls={"pair": [SAFE_HOST]},
                annotations={"backend-protocol": "GRPCS", "ssl-redirect": "false", **limits},
            ),
            ingress_manifest(
                "closed", "closed.example", {"/": "plain"},
                annotations={"whitelist-source-range": "10.0.0.0/8", "backend-protocol": "GRPC"},
            ),
        )  # fmt: skip


class GRPCTests(GRPCProcessTestCase):
    """Each kind of call, as grpcio's own tests have them."""

    def channel(self, host: str = HOST, *, is_secure: bool = False) -> Any:
        """A channel to the proxy; names are checked as always."""
        options = [
            ("grpc.default_authority", host),
            ("grpc.max_receive_message_length", 64 << 20),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        if is_secure:
            options.append(("grpc.ssl_target_name_override", host))
            credentials = grpc.ssl_channel_credentials(self.authority.root_pem)
            address = f"127.0.0.1:{self.process.port('https')}"
            channel = grpc.secure_channel(address, credentials, options=options)
        else:
            address = f"127.0.0.1:{self.process.port('http')}"
            channel = grpc.insecure_channel(address, options=options)
        self.addCleanup(channel.close)
        return channel

    def channels(self) -> Iterator[Any]:
        """In the clear and over TLS, towards endpoints in the clear and over TLS."""
        for host in (HOST, SAFE_HOST):
            for is_secure in (False, True):
                yield self.channel(host, is_secure=is_secure)

    def failure(self, call: Any, message: bytes = b"", **arguments: Any) -> tuple[Any, str]:
        with self.assertRaises(grpc.RpcError) as raised:
            call(message, **{"timeout": TIMEOUT, **arguments})
        error: Any = raised.exception
        return error.code(), error.details()

    def test_unary(self) -> None:
        """A message gets its answer, and its metadata come in the trailers."""
        for channel in self.channels():
            echo = channel.unary_unary("/t.T/Echo", same, same)
            for message in (b"", b"hello", b"x" * (4 << 20)):
                answer, call = echo.with_call(message, timeout=TIMEOUT)
                self.assertEqual(answer, message)
                self.assertIn(("x-trailing", "yes"), call.trailing_metadata())

    def test_streams(self) -> None:
        """Both sides may send as many messages as they like."""
        for channel in self.channels():
            many = channel.unary_stream("/t.T/Many", same, same)
            self.assertEqual(list(many(b"abc", timeout=TIMEOUT)), [b"a", b"b", b"c"])
            joined = channel.stream_unary("/t.T/Joined", same, same)
            self.assertEqual(joined(iter([b"a", b"b"]), timeout=TIMEOUT), b"a,b")

    def test_ping_pong(self) -> None:
        """Each message is passed on at once: the next one is sent when its answer has come."""
        for channel in self.channels():
            turn = threading.Semaphore(1)

            def messages(turn: threading.Semaphore = turn) -> Iterator[bytes]:
                for number in range(20):
                    turn.acquire()
                    yield b"%d" % number

            answers = channel.stream_stream("/t.T/Each", same, same)(messages(), timeout=TIMEOUT)
            for number, answer in enumerate(answers):
                self.assertEqual(answer, b"re:%d" % number)
                turn.release()

    def test_status(self) -> None:
        """A status that is no success comes with its message, in whatever alphabet."""
        for channel in self.channels():
            echo = channel.unary_unary("/t.T/Echo", same, same)
            self.assertEqual(
                self.failure(echo, b"fail"), (grpc.StatusCode.NOT_FOUND, "nothing here: ä")
            )
            unknown = channel.unary_unary("/t.T/Unknown", same, same)
            self.assertEqual(self.failure(unknown)[0], grpc.StatusCode.UNIMPLEMENTED)

    def test_deadline(self) -> None:
        """A deadline ends the call on both sides, and the connection serves the next one."""
        for channel in self.channels():
            echo = channel.unary_unary("/t.T/Echo", same, same)
            code, _ = self.failure(echo, b"slow", timeout=0.3)
            self.assertEqual(code, grpc.StatusCode.DEADLINE_EXCEEDED)
            self.assertEqual(echo(b"next", timeout=TIMEOUT), b"next")

    def test_cancel(self) -> None:
        """A call that is cancelled ends, and others go on."""
        channel = self.channel()
        echo = channel.unary_unary("/t.T/Echo", same, same)
        call = echo.future(b"slow", timeout=TIMEOUT)
        call.cancel()
        self.assertTrue(call.cancelled())
        self.assertEqual(echo(b"next", timeout=TIMEOUT), b"next")

    def test_cancelled_stream(self) -> None:
        """A stream that is cancelled in the middle ends for the service, too."""
        for channel in self.channels():
            ended = channel.unary_unary("/t.T/Ended", same, same)
            before = int(ended(b"", timeout=TIMEOUT))
            messages = channel.unary_stream("/t.T/Endless", same, same)(b"", timeout=TIMEOUT)
            self.assertEqual([next(messages) for _ in range(3)], [b"more"] * 3)
            messages.cancel()
            with self.assertRaises(grpc.RpcError) as raised:
                list(messages)
            error: Any = raised.exception
            self.assertEqual(error.code(), grpc.StatusCode.CANCELLED)
            wait_until(partial(self.has_ended, ended, before), "the service to notice")

    def has_ended(self, ended: Any, before: int) -> bool:
        return int(ended(b"", timeout=TIMEOUT)) > before

    def test_slow_reader(self) -> None:
        """4 MiB arrive at who reads slowly, and other calls on the connection are not held up."""
        for channel in self.channels():
            echo = channel.unary_unary("/t.T/Echo", same, same)
            size = 0
            for message in channel.unary_stream("/t.T/Large", same, same)(b"", timeout=TIMEOUT):
                size += len(message)
                if size % (1 << 19) == 0:
                    self.assertEqual(echo(b"other", timeout=TIMEOUT), b"other")
            self.assertEqual(size, 4 << 20)

    def test_own_answers(self) -> None:
        """What the proxy answers itself is a status of gRPC with the reason."""
        for host, code, part in (
            ("nobody.example", grpc.StatusCode.UNIMPLEMENTED, "No rule matches"),
            ("closed.example", grpc.StatusCode.PERMISSION_DENIED, "may not use this path"),
        ):
            echo = self.channel(host).unary_unary("/t.T/Echo", same, same)
            found, detail = self.failure(echo)
            self.assertEqual(found, code)
            self.assertIn(part, detail)
        echo = self.channel().unary_unary("/t.T/Echo", same, same)
        code, _ = self.failure(echo, b"x" * (9 << 20))
        self.assertEqual(code, grpc.StatusCode.RESOURCE_EXHAUSTED)

    def test_many(self) -> None:
        """Many calls at once share few connections, and each gets its own answer."""
        echo = self.channel().unary_unary("/t.T/Echo", same, same)
        calls = [
            (b"%d" % number, echo.future(b"%d" % number, timeout=TIMEOUT)) for number in range(200)
        ]
        for message, call in calls:
            self.assertEqual(call.result(), message)
