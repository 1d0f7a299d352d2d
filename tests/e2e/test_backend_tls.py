"""
Endpoints over TLS, from outside: who is spoken to, and what the client is told of who is not.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from tests.e2e.case import ProcessTestCase
from tests.support.certs import LAST_MONTH, YESTERDAY, CertificateAuthority, Issued
from tests.support.client import HTTPClient, Reply, trusting_all
from tests.support.endpoints import EchoEndpoint, RawEndpoint
from tests.support.manifest import (
    Manifest,
    backend_secret_manifest,
    endpoint_manifests,
    ingress_manifest,
    service_manifest,
)
from tests.support.process import PATIENCE, wait_until
from tests.support.tls_pair import server_context

HTTPS = {"backend-protocol": "HTTPS"}
VERIFIED = {**HTTPS, "proxy-ssl-secret": "default/trust", "proxy-ssl-verify": "on"}
QUICK = {"proxy-connect-timeout": "1"}


class BackendTLSTests(ProcessTestCase):
    """The Service ``good`` has a certificate that is its own; others have their faults."""

    authority: ClassVar[CertificateAuthority]
    endpoints: ClassVar[dict[str, EchoEndpoint]]
    server_names: ClassVar[list[str | None]]
    """The SNI of each handshake with ``good``."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        authority = cls.authority = CertificateAuthority()
        expired = authority.issue("expired.default.svc", not_before=LAST_MONTH, not_after=YESTERDAY)
        cls.endpoints = {}
        cls.server_names = []
        good = cls.endpoint("good", authority.issue("good.default.svc"))
        assert good.tls is not None
        good.tls.sni_callback = lambda connection, name, _: cls.server_names.append(name)
        cls.endpoint("expired", expired)
        cls.endpoint("stranger", CertificateAuthority("X").issue("stranger.default.svc"))
        cls.endpoint("other", authority.issue("other.example"))
        cls.endpoint("asking", authority.issue("asking.default.svc"), authority.root_pem)
        cls.endpoint("plain", None)
        dead = cls.keep(RawEndpoint(read_all))
        ours = authority.issue("proxy.example")
        ports = {name: [endpoint.port] for name, endpoint in cls.endpoints.items()}
        ports.update(
            dead=[dead.port], mixed=[cls.endpoints["stranger"].port, cls.mixed(authority).port]
        )
        cls.serve(
            folder,
            backend_secret_manifest("trust", authority.root_pem),
            backend_secret_manifest("pair", authority.root_pem, ours),
            *(service_manifest(name) for name in ports),
            *(one for name, each in ports.items() for one in endpoint_manifests(name, *each)),
            cls.ingress("any.example", HTTPS, *ports),
            cls.ingress("checked.example", VERIFIED, *ports),
            cls.ingress("named.example", {**VERIFIED, "proxy-ssl-name": "other.example"}, "other"),
            cls.ingress("sni.example", {**VERIFIED, "proxy-ssl-server-name": "on"}, "good"),
            cls.ingress("pair.example", {**VERIFIED, "proxy-ssl-secret": "default/pair"}, "asking"),
            cls.ingress("missing.example", {**VERIFIED, "proxy-ssl-secret": "default/no"}, "good"),
            cls.ingress("clear.example", {}, "good"),
            cls.ingress("auto.example", {**VERIFIED, "backend-protocol": "AUTO_HTTP"}, "good"),
            cls.ingress("port.example", {}, "wss"),
            service_manifest("wss", app_protocol="kubernetes.io/wss"),
            *endpoint_manifests("wss", cls.endpoints["good"].port),
        )

    @classmethod
    def endpoint(
        cls, name: str, issued: Issued | None, root_pem: bytes | None = None
    ) -> EchoEndpoint:
        """
        :param issued: None for plain HTTP.
        :param root_pem: below which our certificate must be; without, it wants none.
        """
        context = None if issued is None else server_context(issued, root_pem=root_pem)
        made = cls.endpoints[name] = EchoEndpoint(name, tls=context)
        cls.resources.callback(made.stop)
        return made

    @classmethod
    def mixed(cls, authority: CertificateAuthority) -> EchoEndpoint:
        """The good one of two endpoints."""
        made = EchoEndpoint("mixed", tls=server_context(authority.issue("mixed.default.svc")))
        cls.resources.callback(made.stop)
        return made

    @staticmethod
    def ingress(host: str, annotations: Mapping[str, str], *services: str) -> Manifest:
        paths = {f"/{service}": service for service in services}
        return ingress_manifest(host, host, paths, annotations={**annotations, **QUICK})

    def ask(self, service: str, host: str) -> Reply:
        return self.get(f"/{service}", host)

    def assert_served(self, service: str, host: str) -> None:
        reply = self.ask(service, host)
        self.assertEqual((reply.status, reply.echo["name"]), (200, service))

    def assert_refused(self, service: str, host: str, reason: str) -> None:
        """The client is told 502, the log why, and the endpoint nothing."""
        before = len(self.endpoints[service].requests)
        self.assertEqual(self.ask(service, host).status, 502)
        self.assertEqual(len(self.endpoints[service].requests), before)
        address = self.endpoints[service].address
        self.process.wait_for_line(rf"TLS with endpoint {address} failed: .*{reason}")

    def test_unverified(self) -> None:
        """Without verification every endpoint that speaks TLS is served."""
        for service in "good", "expired", "stranger", "other":
            self.assert_served(service, "any.example")

    def test_verified(self) -> None:
        """With it only the one whose certificate is of the authority, in force and its own."""
        self.assert_served("good", "checked.example")
        self.assert_refused("expired", "checked.example", "certificate has expired")
        self.assert_refused("stranger", "checked.example", "unable to get local issuer")
        self.assert_refused("other", "checked.example", "not one for other.default.svc")

    def test_name(self) -> None:
        """The name that an endpoint must have can be set."""
        self.assert_served("other", "named.example")

    def test_body(self) -> None:
        """A body that is larger than any buffer arrives whole."""
        client = self.connect()
        reply = client.request("/good", "checked.example", method="POST", body=bytes(1 << 20))
        self.assertEqual((reply.status, reply.echo["length"]), (200, 1 << 20))

    def test_server_name(self) -> None:
        """The endpoint is told the name only where an Ingress says so."""
        self.server_names.clear()
        self.assert_served("good", "sni.example")
        self.assertEqual(set(self.server_names) - {None}, {"good.default.svc"})

    def test_client_certificate(self) -> None:
        """An endpoint that asks for our certificate gets that of the Secret; without, 502."""
        self.assert_served("asking", "pair.example")
        self.assertEqual(self.ask("asking", "checked.example").status, 502)

    def test_auto(self) -> None:
        """With AUTO_HTTP a client over TLS is served over TLS, and another one in the clear."""
        port = self.process.port("https")
        with HTTPClient(port, tls=trusting_all(), server_name="auto.example") as client:
            self.assertEqual(client.request("/good", "auto.example").echo["name"], "good")
        self.assertEqual(self.ask("good", "auto.example").status, 502)

    def test_service_port(self) -> None:
        """A Service port with appProtocol: kubernetes.io/wss is spoken to over TLS."""
        self.assertEqual(self.ask("wss", "port.example").echo["name"], "good")

    def test_missing_secret(self) -> None:
        """Where the Secret is missing, nothing goes out."""
        before = self.endpoints["good"].connections
        self.assertEqual(self.ask("good", "missing.example").status, 503)
        self.assertEqual(self.endpoints["good"].connections, before)

    def test_dead(self) -> None:
        """A handshake to which nobody answers is 504 after the time for connecting."""
        self.assertEqual(self.ask("dead", "checked.example").status, 504)

    def test_plain(self) -> None:
        """An endpoint that speaks no TLS is 502, and one that is spoken to without it, too."""
        self.assertEqual(self.ask("plain", "any.example").status, 502)
        self.assertEqual(self.ask("good", "clear.example").status, 502)

    def test_next(self) -> None:
        """Where one of two endpoints is somebody else, the other one answers."""
        for _ in range(4):
            self.assert_served("mixed", "checked.example")

    def test_changed_authority(self) -> None:
        """When another authority is to be trusted, no connection of before is used any more."""
        authority, other = self.authority, CertificateAuthority("Other")
        settings = {**VERIFIED, "proxy-ssl-secret": "default/changing"}
        ingress = self.ingress("changing.example", settings, "good")
        self.process.write(
            "changing.yaml", ingress, backend_secret_manifest("changing", authority.root_pem)
        )

        def status() -> int:
            return self.ask("good", "changing.example").status

        wait_until(lambda: status() == 200, "the new Ingress")
        self.process.write(
            "changing.yaml", ingress, backend_secret_manifest("changing", other.root_pem)
        )
        wait_until(lambda: status() == 502, "the other authority")
        self.assert_served("good", "checked.example")


def read_all(connection: socket.socket) -> None:
    """Read until the other side ends the connection, and say nothing."""
    connection.settimeout(PATIENCE)
    while connection.recv(65536):
        pass
