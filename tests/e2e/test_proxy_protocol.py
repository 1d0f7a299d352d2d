"""
The PROXY protocol through the real process, as clients send it and endpoints get it.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from ingress.proxy_protocol import Version, addresses_of, make_header
from tests.e2e.case import ProcessTestCase, run
from tests.support.certs import CertificateAuthority
from tests.support.client import HTTPClient, Reply, trusting_all
from tests.support.endpoints import EchoEndpoint
from tests.support.h2_socket import H2Socket
from tests.support.header_endpoint import HeaderEndpoint
from tests.support.manifest import (
    endpoint_manifests,
    ingress_manifest,
    secret_manifest,
    served_manifests,
    service_manifest,
)
from tests.support.metrics import sample_value
from tests.support.process import LOOPBACK, wait_until
from tests.support.tls_pair import server_context

CLIENT = "203.0.113.7"
OTHER = "2001:db8::9"


def header(source: str = CLIENT, version: Version = Version.V2, port: int = 8080) -> bytes:
    """What a proxy in front sends for a client."""
    return make_header(version, addresses_of(source, 51234, "192.0.2.1", port))


def fields_of(echo: Mapping[str, object]) -> dict[str, str]:
    """The fields that an endpoint got, by their names in lower case."""
    pairs = echo["fields"]
    assert isinstance(pairs, list)
    return {name.lower(): value for name, value in pairs}


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


class HeaderTests(ProcessTestCase):
    """Two workers, whose listeners want headers, and endpoints that want them."""

    web: ClassVar[EchoEndpoint]
    headed: ClassVar[HeaderEndpoint]
    secure: ClassVar[HeaderEndpoint]
    tcp_port: ClassVar[int]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web = cls.echo("web")
        pair = CertificateAuthority().issue("a.example", "passed.example")
        cls.headed = cls.keep(HeaderEndpoint())
        cls.secure = cls.keep(HeaderEndpoint(server_context(pair)))
        cls.tcp_port = free_port()
        cls.serve(
            folder,
            secret_manifest("pair", pair),
            ingress_manifest("web", "a.example", {"/": "web"}),
            ingress_manifest("tls", "b.example", {"/": "web"}, tls={"pair": ["b.example"]}),
            ingress_manifest(
                "ranges",
                "c.example",
                {"/": "web"},
                annotations={"whitelist-source-range": f"{CLIENT}/32"},
            ),
            *served_manifests("web", cls.web.port),
            ingress_manifest("headed", "headed.example", {"/": "headed"}),
            ingress_manifest(
                "secure",
                "secure.example",
                {"/": "secure"},
                annotations={"backend-protocol": "HTTPS"},
            ),
            ingress_manifest(
                "passed",
                "passed.example",
                {"/": "secure"},
                annotations={"ssl-passthrough": "true"},
            ),
            service_manifest("headed", annotations={"txingress.dev/proxy-protocol": "v1"}),
            service_manifest("secure", annotations={"txingress.dev/proxy-protocol": "v2"}),
            service_manifest("bytes"),
            *endpoint_manifests("headed", cls.headed.port),
            *endpoint_manifests("secure", cls.secure.port),
            *endpoint_manifests("bytes", cls.headed.port),
            listen={
                "http": {"endpoint": LOOPBACK, "proxy-protocol": True},
                "https": {"endpoint": [LOOPBACK], "proxy-protocol": True},
                "admin": LOOPBACK,
                "tcp": {f"127.0.0.1:{cls.tcp_port}": "default/bytes:80:PROXY:PROXY"},
            },
            trusted_proxies=["127.0.0.1"],
            public_ports={"http": 80, "https": 443},
            access_log={"path": str(folder / "access.log"), "format": "json"},
            limits={"proxy-protocol-header-timeout": 0.5},
            workers=2,
        )

    def http(self, preface: bytes) -> HTTPClient:
        client = HTTPClient(self.process.port("http"), preface=preface)
        self.addCleanup(client.close)
        return client

    def logged(self, client: str) -> int:
        """How many lines of the access log are of this client."""
        log = self.process.folder / "access.log"
        text = log.read_text() if log.exists() else ""
        return sum(
            json.loads(line)["client"] == client for line in text.rpartition("\n")[0].splitlines()
        )

    def test_address(self) -> None:
        """The address of the header is the client's, for endpoints, the log and source ranges."""
        for version in Version:
            client = self.http(header(version=version))
            reply = client.request(fields="X-Forwarded-For: 192.0.2.66\r\n")
            fields = fields_of(reply.echo)
            self.assertEqual((fields["x-real-ip"], fields["x-forwarded-for"]), (CLIENT, CLIENT))
            self.assertEqual(fields["x-original-forwarded-for"], "192.0.2.66")
            self.assertEqual(client.request(host="c.example").status, 200)
            self.assertEqual(
                self.http(header(OTHER, version)).request(host="c.example").status, 403
            )

    def test_kept_connection(self) -> None:
        """All requests of a connection are of the client that its header names."""
        address = "2001:db8::77"
        client = self.http(header(address))
        for _ in range(2):
            self.assertEqual(fields_of(client.request().echo)["x-real-ip"], address)
        wait_until(lambda: self.logged(address) == 2, "its lines of the log")

    def test_tls(self) -> None:
        """The header comes before TLS, in one segment with the ClientHello or before it."""
        port = self.process.port("https")
        with HTTPClient(port, tls=trusting_all(), preface=header()) as client:
            reply = client.request(host="b.example")
            self.assertEqual(fields_of(reply.echo)["x-real-ip"], CLIENT)
        with H2Socket(port, tls=trusting_all(), preface=header(OTHER)) as h2:
            answer = h2.ask("b.example")
            self.assertEqual(fields_of(json.loads(answer.body))["x-real-ip"], OTHER)

    def test_prior_knowledge(self) -> None:
        """HTTP/2 in the clear follows the header."""
        with H2Socket(self.process.port("http"), preface=header(OTHER)) as h2:
            answer = h2.ask("a.example")
            self.assertEqual(fields_of(json.loads(answer.body))["x-real-ip"], OTHER)

    def test_tls_ended_in_front(self) -> None:
        """A client that came to port 443 of the proxy in front is not redirected to https."""
        self.assertEqual(self.http(header()).request(host="b.example").status, 308)
        reply = self.http(header(port=443)).request(host="b.example")
        fields = fields_of(reply.echo)
        self.assertEqual((fields["x-forwarded-proto"], fields["x-scheme"]), ("https", "https"))

    def test_curl(self) -> None:
        """curl sends a header of version 1."""
        found = run(
            "curl", "-s", "--haproxy-protocol", "-H", "Host: a.example",
            f"http://127.0.0.1:{self.process.port('http')}/",
        )  # fmt: skip
        self.assertEqual(fields_of(json.loads(found.stdout))["x-real-ip"], "127.0.0.1")

    def told(self, reply: Reply) -> tuple[object, ...]:
        """The version and the client of the header that an endpoint got."""
        echo = reply.echo
        return echo["version"], echo["source"], echo["port"]

    def test_to_endpoints(self) -> None:
        """Each request has a connection of its own, which begins with its client's header."""
        client = self.http(header(OTHER))
        replies = [client.request(host="headed.example") for _ in range(2)]
        replies.append(self.http(header()).request(host="headed.example"))
        for reply, address in zip(replies, (OTHER, OTHER, CLIENT), strict=True):
            self.assertEqual(self.told(reply), ("v1", address, 80))
        numbers = [reply.echo["number"] for reply in replies]
        self.assertEqual(len(set(numbers)), 3)

    def test_before_tls(self) -> None:
        """The header comes before TLS with the endpoint."""
        reply = self.http(header()).request(host="secure.example")
        self.assertEqual(self.told(reply), ("v2", CLIENT, 80))

    def test_passthrough(self) -> None:
        """An endpoint to which TLS is passed through gets the header, with both ends of it."""
        with HTTPClient(
            self.process.port("https"),
            tls=trusting_all(),
            server_name="passed.example",
            preface=header(OTHER, port=8443),
        ) as client:
            self.assertEqual(self.told(client.request()), ("v2", OTHER, 8443))

    def test_tcp_service(self) -> None:
        """A port of a TCP service takes a header and sends one, as nginx does, in version 1."""
        client = HTTPClient(self.tcp_port, preface=header(OTHER, port=9000))
        self.addCleanup(client.close)
        self.assertEqual(self.told(client.request()), ("v1", OTHER, 9000))
        without = HTTPClient(self.tcp_port)
        self.addCleanup(without.close)
        without.send(b"GET / HTTP/1.1\r\n\r\n")
        self.assertTrue(without.is_closed)

    def test_refused(self) -> None:
        """Connections without a header, with a bad one, with two or with half of one are closed."""
        bad = b"PROXY TCP4 1.2.3.4 nowhere 1 2\r\n"
        for data in (b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", bad, header()[:20]):
            client = self.http(data)
            self.assertTrue(client.is_closed, data)
        two = self.http(header() + header(OTHER, Version.V1))
        self.assertEqual(two.request().status, 400)
        wait_until(self._all_counted, "the counts of all workers")

    def _all_counted(self) -> bool:
        with HTTPClient(self.process.port("admin")) as client:
            text = client.request("/metrics", "127.0.0.1", fields="Connection: close\r\n").text
        name = "txingress_refused_openings_total"
        malformed = sample_value(text, name, reason="proxy_header")
        return malformed in (2, 3) and sample_value(text, name, reason="proxy_header_timeout") == 1
