"""
What switches HTTP/2 on and off, for clients and towards endpoints, from outside.
"""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import ClassVar

from tests.e2e.case import ProcessTestCase
from tests.support.certs import CertificateAuthority
from tests.support.client import HTTPClient
from tests.support.endpoints import EchoEndpoint
from tests.support.grpc_channel import GRPCService
from tests.support.h2_socket import H2Socket, SocketAnswer, alpn
from tests.support.manifest import (
    Manifest,
    config_map_manifest,
    endpoint_manifests,
    ingress_manifest,
    secret_manifest,
    service_manifest,
)
from tests.support.process import PATIENCE, wait_until
from tests.support.tls_pair import server_context

HOST = "a.example"
NAME = "nginx-settings"
GRPC = (("content-type", "application/grpc"), ("te", "trailers"))
MESSAGE = b"\0\0\0\0\5hello"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"


def service(name: str, app_protocol: str) -> Manifest:
    """A Service whose port says what its endpoints speak."""
    made = service_manifest(name)
    made["spec"] = {"ports": [{"port": 80, "appProtocol": app_protocol}]}
    return made


class SettingsTests(ProcessTestCase):
    """
    A process with a ConfigMap, endpoints of every kind, `http2: true`, and short patience with idle
    connections.
    """

    manifests: ClassVar[list[Manifest]]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        issued = CertificateAuthority().issue(HOST, "localhost")
        (folder / "chain.pem").write_bytes(issued.chain_pem)
        (folder / "key.pem").write_bytes(issued.key_pem)
        plain = cls.keep(GRPCService())
        secure = cls.keep(GRPCService(str(folder / "chain.pem"), str(folder / "key.pem")))
        echo = cls.echo("web")
        safe = cls.keep(EchoEndpoint("safe", tls=server_context(issued)))
        ports = {
            **dict.fromkeys(("grpc", "h2c"), plain.port),
            **dict.fromkeys(("h2", "only-h2"), secure.port),
            **dict.fromkeys(("web", "annotated", "ws"), echo.port),
            "safe": safe.port,
            "wss": safe.port,
        }
        protocols = {
            "h2c": "kubernetes.io/h2c",
            "annotated": "kubernetes.io/h2c",
            "ws": "kubernetes.io/ws",
            "wss": "kubernetes.io/wss",
        }
        versions = {
            "grpc": "GRPC",
            "h2": "HTTPS",
            "only-h2": "GRPCS",
            "annotated": "HTTP",
            "safe": "HTTPS",
        }
        cls.manifests = [secret_manifest("pair", issued)]
        for name, port in ports.items():
            annotations = {"ssl-redirect": "false"}
            if name in versions:
                annotations["backend-protocol"] = versions[name]
            known = service(name, protocols[name]) if name in protocols else service_manifest(name)
            host = HOST if name == "web" else f"{name}.example"
            cls.manifests += [
                known,
                *endpoint_manifests(name, port),
                ingress_manifest(
                    name, host, {"/": name}, tls={"pair": [HOST]}, annotations=annotations
                ),
            ]
        cls.serve(
            folder,
            *cls.manifests,
            config_map_manifest(NAME, {}),
            **cls.settings(),
        )

    @staticmethod
    def settings(**limits: int) -> dict[str, object]:
        """The configuration, with some limits more."""
        return {
            "config_map": f"default/{NAME}",
            "http2": True,
            "limits": {"keep-alive-timeout": 1, **limits},
        }

    def client(self) -> H2Socket:
        client = H2Socket(self.process.port("http"))
        self.addCleanup(client.close)
        return client

    def call(self, name: str) -> SocketAnswer:
        """Call a method of gRPC, which endpoints understand only in HTTP/2."""
        return self.client().ask(f"{name}.example", "/t.T/Echo", GRPC, method="POST", body=MESSAGE)

    def change(self, data: dict[str, str]) -> None:
        self.process.write("all.yaml", *self.manifests, config_map_manifest(NAME, data))

    def agreed(self, *offered: str) -> str | None:
        return alpn(self.process.port("https"), *offered, server_name=HOST)

    def test_endpoints(self) -> None:
        """
        `GRPC` and `appProtocol` mean h2c, `GRPCS` and, with `http2: true`, `HTTPS` h2 by ALPN.
        """
        for name in ("grpc", "h2c", "h2", "only-h2"):
            answer = self.call(name)
            self.assertEqual((answer.status, answer.field("grpc-status")), (200, "0"), name)
            self.assertEqual(answer.body, MESSAGE)

    def test_endpoints_of_http1(self) -> None:
        """Endpoints that do not agree on h2, WebSockets, and an annotation keep HTTP/1.1."""
        for name in ("safe", "annotated", "ws", "wss"):
            reply = self.get(host=f"{name}.example")
            self.assertEqual(reply.status, 200, (name, reply))
            self.assertEqual(reply.echo["name"], "safe" if name in ("safe", "wss") else "web")
        refused = self.call("safe")
        self.assertEqual((refused.status, refused.field("grpc-status")), (200, None))

    def test_use_http2(self) -> None:
        """`use-http2` of the ConfigMap switches HTTP/2 off and on, over TLS and in the clear."""
        self.assertEqual(self.agreed("h2", "http/1.1"), "h2")
        self.change({"use-http2": "false"})
        wait_until(lambda: self.agreed("h2", "http/1.1") == "http/1.1", "HTTP/2 to be off")
        self.check_off()
        self.change({"use-http2": "true", "http2-max-concurrent-streams": "7"})
        wait_until(lambda: self.agreed("h2", "http/1.1") == "h2", "HTTP/2 to be on")
        client = self.client()
        self.assertEqual(client.ask(HOST).status, 200)
        self.assertEqual(client.h2.remote_settings.max_concurrent_streams, 7)
        self.change({})
        wait_until(self.takes_a_hundred, "the default")

    def takes_a_hundred(self) -> bool:
        client = self.client()
        client.ask(HOST)
        return client.h2.remote_settings.max_concurrent_streams == 100

    def check_off(self) -> None:
        """HTTP/2 is not offered, and a client that begins with it is refused."""
        self.assertIsNone(self.agreed())
        with self.assertRaises(ssl.SSLError):
            self.agreed("h2")
        with HTTPClient(self.process.port("http")) as client:
            client.send(PREFACE)
            reply = client.read_reply()
            self.assertEqual((reply.version, reply.status), ("HTTP/1.1", 400))

    def test_limit(self) -> None:
        """`limits.http2-streams: 0` of the configuration does the same."""
        self.process.configure(**self.settings(**{"http2-streams": 0}))
        wait_until(lambda: self.agreed("h2", "http/1.1") == "http/1.1", "HTTP/2 to be off")
        self.check_off()
        self.process.configure(**self.settings())
        wait_until(lambda: self.agreed("h2", "http/1.1") == "h2", "HTTP/2 to be on")

    def test_ping(self) -> None:
        """PING alone does not keep a connection: it ends after `keep-alive-timeout`."""
        client = self.client()
        self.assertEqual(client.ask(HOST).status, 200)
        began = time.monotonic()
        while not client.is_over:
            self.assertLess(time.monotonic() - began, PATIENCE)
            client.h2.ping(b"12345678")
            client.flush()
            # Its answer, and then nothing for a while.
            client.read(0.2)
            client.read(0.2)
        self.assertEqual(client.goaways, [0])
