"""
HTTP/2 from outside: what curl, nghttp, h2load and `h2` make of it.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import tempfile
from pathlib import Path
from typing import ClassVar

import h2.config
import h2.connection
import h2.events

from tests.e2e.case import ProcessTestCase, run
from tests.support.certs import CertificateAuthority
from tests.support.manifest import ingress_manifest, secret_manifest, served_manifests
from tests.support.process import PATIENCE, wait_until

HOST = "a.example"


class HTTP2TestCase(ProcessTestCase):
    """A process with a certificate, and with an access log."""

    authority: ClassVar[CertificateAuthority]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.authority = CertificateAuthority()
        web = cls.echo("web")
        cls.serve(
            folder,
            secret_manifest("web", cls.authority.issue(HOST)),
            ingress_manifest("web", HOST, {"/": "web"}, tls={"web": [HOST]}),
            *served_manifests("web", web.port),
            ssl_redirect=False,
            access_log={"path": "access.log"},
            limits={"body-size": 0},
        )

    def curl(self, *arguments: str, scheme: str = "http", path: str = "/") -> tuple[str, str]:
        """:return: the version, status and size that curl tells, and the body."""
        port = self.process.port(scheme)
        ended = run(
            "curl",
            "--silent",
            "--insecure",
            "--max-time",
            str(PATIENCE),
            "--resolve",
            f"{HOST}:{port}:127.0.0.1",
            "--write-out",
            "\n%{http_version} %{http_code}",
            *arguments,
            f"{scheme}://{HOST}:{port}{path}",
        )
        self.assertEqual(ended.returncode, 0, ended.stderr)
        body, _, told = ended.stdout.decode().rpartition("\n")
        return told, body

    def log_lines(self) -> str:
        return (self.process.folder / "access.log").read_text()


class ProgramTests(HTTP2TestCase):
    """The programs that people have."""

    def test_curl(self) -> None:
        """curl speaks HTTP/2 where it asks for it, over TLS and in the clear."""
        for scheme, option, version in (
            ("https", "--http2", "2"),
            ("http", "--http2-prior-knowledge", "2"),
            ("https", "--http1.1", "1.1"),
            ("http", "--http2", "1.1"),
        ):
            told, body = self.curl(option, scheme=scheme)
            self.assertEqual(told, f"{version} 200", option)
            self.assertEqual(json.loads(body)["name"], "web")

    def test_upload(self) -> None:
        """Uploads of any size arrive, and their responses."""
        for size in (0, 1, 70_000, 5_000_000):
            with tempfile.NamedTemporaryFile() as file:
                file.write(b"x" * size)
                file.flush()
                for arguments in (("--upload-file", file.name), ("--form", f"f=@{file.name}")):
                    told, body = self.curl("--http2", *arguments, scheme="https")
                    self.assertEqual(told, "2 200")
                    self.assertGreaterEqual(json.loads(body)["length"], size)

    def test_log(self) -> None:
        """The access log has the version as nginx writes it."""
        self.curl("--http2-prior-knowledge", path="/logged")
        wait_until(lambda: "/logged" in self.log_lines(), "the line of the request")
        self.assertIn('"GET /logged HTTP/2.0" 200', self.log_lines())

    def test_nghttp(self) -> None:
        """nghttp, which shows each frame, is content, and gets the settings that we announce."""
        port = self.process.port("http")
        ended = run("nghttp", "-v", "-H", f":authority: {HOST}", f"http://127.0.0.1:{port}/")
        told = ended.stdout.decode()
        self.assertIn(":status: 200", told)
        self.assertIn("[SETTINGS_MAX_CONCURRENT_STREAMS(0x03):100]", told)
        self.assertNotIn("[ERROR]", told + ended.stderr.decode())

    def test_h2load(self) -> None:
        """A thousand requests on ten connections are all answered."""
        for scheme in ("http", "https"):
            port = self.process.port(scheme)
            ended = run(
                *("h2load", "-n", "1000", "-c", "10", "-m", "20", "-H", f":authority: {HOST}"),
                f"{scheme}://127.0.0.1:{port}/",
            )
            told = ended.stdout.decode()
            self.assertRegex(told, r"1000 succeeded, 0 failed, 0 errored, 0 timeout")
            self.assertRegex(told, r"status codes: 1000 2xx")


class LibraryTests(HTTP2TestCase):
    """`h2` over TLS, as Python programs use it."""

    def connect_tls(self, *protocols: str) -> ssl.SSLSocket:
        context = ssl.create_default_context(cadata=self.authority.root_pem.decode())
        if protocols:
            context.set_alpn_protocols(protocols)
        sock = socket.create_connection(("127.0.0.1", self.process.port("https")), PATIENCE)
        secure = context.wrap_socket(sock, server_hostname=HOST)
        self.addCleanup(secure.close)
        return secure

    def test_alpn(self) -> None:
        """HTTP/2 is preferred, HTTP/1.1 is spoken with those who do not ask."""
        for offered, agreed in (
            (("h2", "http/1.1"), "h2"),
            (("http/1.1", "h2"), "h2"),
            (("http/1.1",), "http/1.1"),
            ((), None),
        ):
            self.assertEqual(self.connect_tls(*offered).selected_alpn_protocol(), agreed)

    def test_many(self) -> None:
        """A hundred requests at once are answered, each with what is its own."""
        secure = self.connect_tls("h2")
        connection = h2.connection.H2Connection(h2.config.H2Configuration())
        connection.initiate_connection()
        for number in range(100):
            head = [
                (":method", "GET"),
                (":scheme", "https"),
                (":authority", HOST),
                (":path", f"/{number}"),
            ]
            connection.send_headers(2 * number + 1, head, end_stream=True)
        secure.sendall(connection.data_to_send())
        bodies: dict[int, bytes] = {}
        whole: set[int] = set()
        while len(whole) < 100:
            data = secure.recv(65_536)
            self.assertTrue(data, "the connection ended")
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    stream_id = event.stream_id
                    bodies[stream_id] = bodies.get(stream_id, b"") + event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    whole.add(event.stream_id)
            secure.sendall(connection.data_to_send())
        for stream_id, body in bodies.items():
            self.assertEqual(json.loads(body)["target"], f"/{stream_id // 2}")


class DrainTests(HTTP2TestCase):
    """The end of a process, which is one of its own."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        super().prepare(folder)

    def test_drain(self) -> None:
        """A process that ends says GOAWAY to idle connections, and they end."""
        port = self.process.port("http")
        sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.addCleanup(sock.close)
        connection = h2.connection.H2Connection(h2.config.H2Configuration())
        connection.initiate_connection()
        sock.sendall(connection.data_to_send())
        received = b""
        while b"\0\0\0\4\1\0\0\0\0" not in received:
            received += sock.recv(65_536)
        os.kill(self.process.pid, 15)
        while data := sock.recv(65_536):
            received += data
        self.assertIn(b"\0\0\x08\7\0\0\0\0\0\x7f\xff\xff\xff\0\0\0\0", received)
        self.assertIn(b"\0\0\x08\7" + bytes(13), received)
        wait_until(lambda: not self.process.is_running(), "the end of the process")

    def tearDown(self) -> None:
        # The process has ended, as it was told to.
        self.assertNotIn("Traceback", self.process.log)
