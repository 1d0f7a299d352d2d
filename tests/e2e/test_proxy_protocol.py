"""
The PROXY protocol through the real process, as clients send it and endpoints get it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from ingress.proxy_protocol import Version, addresses_of, make_header
from tests.e2e.case import ProcessTestCase, run
from tests.support.certs import CertificateAuthority
from tests.support.client import HTTPClient, trusting_all
from tests.support.endpoints import EchoEndpoint
from tests.support.h2_socket import H2Socket
from tests.support.manifest import ingress_manifest, secret_manifest, served_manifests
from tests.support.metrics import sample_value
from tests.support.process import LOOPBACK, wait_until

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


class InTests(ProcessTestCase):
    """Two workers, whose listeners want headers."""

    web: ClassVar[EchoEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web = cls.echo("web")
        pair = CertificateAuthority().issue("a.example")
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
            listen={
                "http": {"endpoint": LOOPBACK, "proxy-protocol": True},
                "https": {"endpoint": [LOOPBACK], "proxy-protocol": True},
                "admin": LOOPBACK,
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

    def last_log_line(self) -> dict[str, object]:
        log = self.process.folder / "access.log"
        wait_until(lambda: log.exists() and log.read_text().endswith("\n"), "a line of the log")
        found: dict[str, object] = json.loads(log.read_text().splitlines()[-1])
        return found

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
        client = self.http(header(OTHER))
        for _ in range(2):
            self.assertEqual(fields_of(client.request().echo)["x-real-ip"], OTHER)
        wait_until(lambda: OTHER in str(self.last_log_line()), "its line of the log")

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
        return malformed == 2 and sample_value(text, name, reason="proxy_header_timeout") == 1
