"""
TLS that ends at endpoints, beside hosts whose TLS ends at the proxy, through the real process.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from ingress.proxy_protocol import Version, addresses_of, make_header
from tests.e2e.case import ProcessTestCase
from tests.support.certs import CertificateAuthority
from tests.support.client import HTTPClient, Reply, trusting, trusting_all
from tests.support.endpoints import EchoEndpoint
from tests.support.hello import records
from tests.support.manifest import ingress_manifest, secret_manifest, served_manifests
from tests.support.process import LOOPBACK, PATIENCE, wait_until
from tests.support.tls_pair import server_context

PASS = {"ssl-passthrough": "true"}
CLIENT = "203.0.113.7"


class MemoryTLS:
    """
    A TLS client whose bytes a test may change on their way.

    :param change: of the first flight of the client, which has its ClientHello.
    """

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        name: str,
        change: Callable[[bytes], list[bytes]],
    ) -> None:
        self.socket = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._change: Callable[[bytes], list[bytes]] | None = change
        self._run(self.tls.do_handshake)

    def get(self, host: str) -> bytes:
        """:return: the beginning of an answer."""
        self.tls.write(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host.encode())
        self._flush()
        return self._run(lambda: self.tls.read(1 << 16))

    def _flush(self) -> None:
        data = self._outgoing.read()
        change, self._change = self._change, None
        for piece in [data] if change is None else change(data):
            self.socket.sendall(piece)

    def _run(self, step: Callable[[], bytes | None]) -> bytes:
        while True:
            try:
                found = step()
            except ssl.SSLWantReadError:
                self._flush()
                data = self.socket.recv(1 << 16)
                if not data:
                    raise ConnectionError("the connection has ended") from None
                self._incoming.write(data)
            else:
                self._flush()
                return found or b""


def in_records(size: int) -> Callable[[bytes], list[bytes]]:
    """Cut a ClientHello into records of so many bytes."""
    return lambda data: [records(data[5:], size)]


class PassthroughTests(ProcessTestCase):
    """Hosts of both kinds on one port; connections begin with a header of the PROXY protocol."""

    ours: ClassVar[CertificateAuthority]
    theirs: ClassVar[CertificateAuthority]
    web: ClassVar[EchoEndpoint]
    tls: ClassVar[EchoEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.ours, cls.theirs = CertificateAuthority(), CertificateAuthority()
        names = ("passed.example", "*.wild.example", "ranges.example", "limit.example")
        cls.web = cls.echo("web")
        cls.tls = cls.keep(EchoEndpoint("tls", tls=server_context(cls.theirs.issue(*names))))

        def passed(name: str, host: str, **annotations: str) -> dict[str, object]:
            written = {key.replace("_", "-"): value for key, value in annotations.items()}
            return ingress_manifest(name, host, {"/": "tls"}, annotations={**PASS, **written})

        cls.serve(
            folder,
            secret_manifest("pair", cls.ours.issue("ended.example", "ended.wild.example")),
            ingress_manifest(
                "ended", "ended.example", {"/": "web"}, tls={"pair": ["ended.example"]}
            ),
            ingress_manifest(
                "in-wild", "ended.wild.example", {"/": "web"}, tls={"pair": ["ended.wild.example"]}
            ),
            passed("passed", "passed.example"),
            passed("wild", "*.wild.example"),
            passed("ranges", "ranges.example", allowlist_source_range=f"{CLIENT}/32"),
            passed("limit", "limit.example", limit_connections="1"),
            *served_manifests("web", cls.web.port),
            *served_manifests("tls", cls.tls.port),
            listen={
                "http": LOOPBACK,
                "https": {"endpoint": LOOPBACK, "proxy-protocol": True},
                "admin": LOOPBACK,
            },
            public_ports={"http": 80, "https": 443},
            trusted_proxies=["127.0.0.1"],
            access_log={"path": str(folder / "access.log"), "format": "json"},
            workers=2,
        )

    def https(self, name: str, context: ssl.SSLContext, client: str = CLIENT) -> HTTPClient:
        found = HTTPClient(
            self.process.port("https"),
            tls=context,
            server_name=name,
            preface=make_header(Version.V2, addresses_of(client, 1, "192.0.2.1", 443)),
        )
        self.addCleanup(found.close)
        return found

    def plain(self) -> socket.socket:
        """A connection whose header is sent."""
        found = socket.create_connection(("127.0.0.1", self.process.port("https")), PATIENCE)
        self.addCleanup(found.close)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found.sendall(make_header(Version.V1, addresses_of(CLIENT, 1, "192.0.2.1", 443)))
        return found

    def ask(self, name: str, host: str, *, is_passed: bool) -> Reply:
        """Ask on a connection whose certificate must be that of the endpoint, or ours."""
        authority = self.theirs if is_passed else self.ours
        return self.https(name, trusting(authority.root_pem)).request(host=host)

    def log_lines(self, host: str) -> list[dict[str, object]]:
        log = self.process.folder / "access.log"
        text = log.read_text() if log.exists() else ""
        lines = (json.loads(line) for line in text.rpartition("\n")[0].splitlines())
        return [line for line in lines if line.get("host") == host]

    def test_beside(self) -> None:
        """The name in the ClientHello decides where TLS ends."""
        passed = self.ask("passed.example", "passed.example", is_passed=True)
        self.assertEqual((passed.status, passed.echo["name"]), (200, "tls"))
        self.assertNotIn("x-real-ip", str(passed.echo).lower())
        ended = self.ask("ended.example", "ended.example", is_passed=False)
        self.assertEqual((ended.status, ended.echo["name"]), (200, "web"))

    def test_names(self) -> None:
        """Names in any case, with a dot at the end, and of a wildcard; its own host is apart."""
        self.assertEqual(self.ask("a.wild.example", "x", is_passed=True).echo["name"], "tls")
        self.assertEqual(
            self.ask("ended.wild.example", "ended.wild.example", is_passed=False).echo["name"],
            "web",
        )
        for name in ("PASSED.Example", "passed.example."):
            client = self.https(name, trusting_all())
            self.assertEqual(client.request(host="x").echo["name"], "tls", name)

    def test_other_host(self) -> None:
        """No request reaches a host that is passed through on a connection for another one."""
        reply = self.ask("ended.example", "passed.example", is_passed=False)
        self.assertEqual(reply.status, 421)
        # The endpoint alone sees what a passed connection asks for.
        reply = self.ask("passed.example", "ended.example", is_passed=True)
        self.assertEqual(reply.echo["name"], "tls")
        for name in (None, "unknown.example"):
            client = HTTPClient(
                self.process.port("https"),
                tls=trusting_all(),
                server_name=name,
                preface=make_header(Version.V1, None),
            )
            with client:
                self.assertEqual(client.request(host="passed.example").status, 421)

    def test_redirect(self) -> None:
        """Requests over http are redirected, as for hosts with tls entries."""
        reply = self.get("/x", "passed.example")
        self.assertEqual((reply.status, reply.field("Location")), (308, "https://passed.example/x"))

    def test_split(self) -> None:
        """A ClientHello may come in any segments and records, for both kinds of hosts."""
        for name, cut in (
            ("passed.example", in_records(1)),
            ("passed.example", in_records(100)),
            ("ended.example", in_records(1)),
            ("ended.example", in_records(7)),
            ("passed.example", lambda data: [data[i : i + 1] for i in range(len(data))]),
            ("ended.example", lambda data: [data[:3], data[3:200], data[200:]]),
        ):
            client = MemoryTLS(self.plain(), trusting_all(), name, cut)
            expected = b'"tls"' if name == "passed.example" else b'"web"'
            self.assertIn(expected, client.get(name))

    def test_garbage(self) -> None:
        """What is no ClientHello is answered by OpenSSL, or closed."""
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x80\x2e\x01\x03\x01", b"\x16\x03\x01\xff\xff"):
            client = self.plain()
            client.sendall(data)
            # Closed with input that nobody has read, it is reset: before or after our own end.
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                while answer := client.recv(4096):
                    self.assertEqual(answer[:1], b"\x15", data)

    def test_source_ranges(self) -> None:
        """A client from elsewhere, by the address of the header, loses its connection."""
        self.assertEqual(self.ask("ranges.example", "x", is_passed=True).status, 200)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.https("ranges.example", trusting_all(), "198.51.100.9")
        (line,) = wait_until(
            lambda: [
                line
                for line in self.log_lines("ranges.example")
                if line["outcome"] == "access_refused"
            ],
            "its line of the log",
        )
        self.assertEqual((line["client"], line["protocol"]), ("198.51.100.9", "TLS"))

    def test_limit(self) -> None:
        """A client has so many connections at once; one that has ended gives way."""
        first = self.https("limit.example", trusting_all())
        self.assertEqual(first.request(host="x").status, 200)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.https("limit.example", trusting_all())
        other = self.https("limit.example", trusting_all(), "203.0.113.8")
        self.assertEqual(other.request(host="x").status, 200)
        first.close()

        def is_free() -> bool:
            try:
                return self.https("limit.example", trusting_all()).request(host="x").status == 200
            except (ssl.SSLError, ConnectionError):
                return False

        wait_until(is_free, "the end of the first connection")

    def test_told(self) -> None:
        """The access log has a line for each connection, with its host and endpoint."""
        before = len(self.log_lines("passed.example"))
        client = self.https("passed.example", trusting_all())
        client.request(host="x", fields="Connection: close\r\n")
        client.close()
        line = wait_until(lambda: self.log_lines("passed.example")[before:], "a line of the log")[0]
        self.assertEqual((line["client"], line["service"]), (CLIENT, "tls"))
        self.assertEqual(line["endpoints"], [{"endpoint": f"127.0.0.1:{self.tls.port}"}])
