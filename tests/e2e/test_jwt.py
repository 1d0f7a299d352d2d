"""
Tokens in a real process, with the keys of an issuer that is a real server.
"""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import ClassVar

from tests.e2e.case import ProcessTestCase
from tests.support.client import HTTPClient
from tests.support.endpoints import EchoEndpoint, RawEndpoint, read_head
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.tokens import AUDIENCE, ISSUER, Issuer, jwks


class JWTTests(ProcessTestCase):
    """One Ingress whose keys are fetched."""

    web: ClassVar[EchoEndpoint]
    issuer: ClassVar[Issuer]
    heads: ClassVar[list[bytes]]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web, cls.issuer, cls.heads = cls.echo("web"), Issuer("ES256", "a"), []
        server = cls.keep(RawEndpoint(cls.answer))
        annotations = {
            "txingress.dev/jwt-issuer": ISSUER,
            "txingress.dev/jwt-audience": AUDIENCE,
            "txingress.dev/jwt-jwks-url": "http://issuer.default.svc.cluster.local/keys",
            "txingress.dev/jwt-claims-to-headers": "sub=X-User",
        }
        cls.serve(
            folder,
            ingress_manifest("web", "a.example", {"/": "web"}, annotations=annotations),
            *served_manifests("web", cls.web.port),
            *served_manifests("issuer", server.port),
            workers=2,
        )

    @classmethod
    def answer(cls, connection: socket.socket) -> None:
        """Give the keys, on one connection."""
        while head := read_head(connection):
            cls.heads.append(head)
            body = jwks(cls.issuer)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def test_token(self) -> None:
        """A good token reaches the endpoint with its claim, and nothing else does."""
        now = int(time.time())
        good, old = self.issuer.token(exp=now + 300), self.issuer.token(exp=now - 300)
        for token, status in ((good, 200), (old, 401), (b"x", 401), (good, 200)):
            for _ in range(4):
                bearer = (
                    f"Authorization: Bearer {token.decode()}\r\nX-User: root\r\nCookie: a=b\r\n"
                )
                reply = self.get(fields=bearer)
                self.assertEqual(reply.status, status, reply.text)
                if status == 200:
                    fields = {
                        name.lower(): value for name, value in json.loads(reply.text)["fields"]
                    }
                    self.assertEqual(fields["x-user"], "alice")
        self.assertEqual(self.get().status, 401)
        # Each worker has fetched the keys once, without anything of a client.
        self.assertIn(len(self.heads), (1, 2))
        for head in self.heads:
            self.assertTrue(head.startswith(b"GET /keys HTTP/1.1\r\n"), head)
            for secret in (b"Bearer", b"Cookie", b"X-User", b"127.0.0.1"):
                self.assertNotIn(secret, head)
        self.assertNotIn(good.decode(), self.process.log)
        with HTTPClient(self.process.port("admin")) as client:
            shown = client.request("/snapshot?host=a.example", "localhost").text
        self.assertIn('"jwt"', shown)
