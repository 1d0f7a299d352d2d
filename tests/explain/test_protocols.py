"""
Tests for `ingress.explain.protocols` and `ingress.explain.dry_endpoint`.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Limits
from ingress.explain.as_json import as_json
from ingress.explain.as_text import as_text
from ingress.explain.asked import ask
from ingress.explain.explanation import Explanation, explain
from ingress.explain.protocols import client_protocol
from ingress.kube.objects import ServicePort
from tests.support.objects import FILES, NOW, built, endpoint_slice, ingress, service


def explained(
    backend: str = "HTTP",
    *fields: str,
    config: Config = FILES,
    scheme: str = "https",
    port: ServicePort | None = None,
) -> Explanation:
    annotations = {"backend-protocol": backend, "ssl-redirect": "false"}
    web = ingress("a.example", {"/": "web:80"}, annotations=annotations)
    parts = (service("web", *([port] if port else [])), endpoint_slice("web", "10.0.0.1"))
    result = built(web, *parts, config=config)
    return explain(result, ask(f"{scheme}://a.example/x?y", fields=fields), now=NOW)


class ClientProtocolTests(SynchronousTestCase):
    def test_client(self) -> None:
        """Over TLS ALPN decides, in the clear what the client begins with; HTTP/2 may be off."""
        limits = Limits(http2_streams=7)
        for is_secure, part in ((True, "by ALPN"), (False, "prior knowledge")):
            told = client_protocol(limits, is_secure=is_secure)
            self.assertIn(part, told)
            self.assertIn("up to 7 requests", told)
            off = client_protocol(Limits(http2_streams=0), is_secure=is_secure)
            self.assertIn("limits.http2-streams is 0", off)


class EndpointProtocolTests(SynchronousTestCase):
    def test_endpoint(self) -> None:
        """What the endpoint is spoken to in is told, and that requests share its connections."""
        agreeing = replace(FILES, http2=True)
        for backend, config, told, is_shared in (
            ("HTTP", FILES, "HTTP/1.1", False),
            ("HTTPS", FILES, "HTTP/1.1 over TLS", False),
            ("GRPC", FILES, "HTTP/2 in the clear (h2c)", True),
            ("GRPCS", FILES, "HTTP/2 over TLS (h2);", True),
            ("HTTPS", agreeing, "or HTTP/1.1 if the endpoint does not agree", True),
        ):
            explanation = explained(backend, config=config)
            self.assertIn(told, explanation.endpoint_protocol)
            self.assertEqual("share connections" in explanation.endpoint_protocol, is_shared)
            self.assertIn(explanation.endpoint_protocol, as_text(explanation))
            self.assertEqual(
                as_json(explanation)["sent"]["protocol"], explanation.endpoint_protocol
            )

    def test_auto(self) -> None:
        """With AUTO_HTTP the endpoint is spoken to as the client speaks."""
        for scheme, told in (("http", "HTTP/1.1"), ("https", "HTTP/1.1 over TLS")):
            self.assertEqual(explained("AUTO_HTTP", scheme=scheme).endpoint_protocol, told)

    def test_port(self) -> None:
        """The Service port decides where the annotation does not."""
        for app_protocol, backend, told in (
            ("kubernetes.io/h2c", "", "HTTP/2 in the clear"),
            ("kubernetes.io/h2c", "HTTP", "HTTP/1.1"),
            ("kubernetes.io/wss", "", "HTTP/1.1 over TLS"),
            ("kubernetes.io/wss", "HTTP", "HTTP/1.1"),
            ("kubernetes.io/ws", "", "HTTP/1.1"),
            ("https", "", "HTTP/1.1"),
        ):
            port = ServicePort(port=80, app_protocol=app_protocol)
            explanation = explained(backend, port=port)
            found = explanation.endpoint_protocol.partition(" (h2c)")[0]
            self.assertEqual(found, told, (app_protocol, backend))

    def test_head(self) -> None:
        """The head that an endpoint gets in HTTP/2 is told like any other."""
        explanation = explained("GRPC", "X-A: 1", "Connection: x-a", "X-B: 2")
        self.assertEqual(explanation.sent_target, "/x?y")
        added = dict(explanation.request_changes.added)
        self.assertEqual(added["x-forwarded-proto"], "https")
        self.assertIn("X-A", explanation.request_changes.removed)
        self.assertNotIn("x-b", added)
        self.assertEqual(explanation.request_changes.changed, ())
        self.assertNotIn(":authority", as_text(explanation))

    def test_response(self) -> None:
        """So is what becomes of a response: the same as over HTTP/1.1."""
        self.assertEqual(
            explained("GRPC").response_changes.added, explained("HTTP").response_changes.added
        )

    def test_body(self) -> None:
        """A request whose body is still to come is explained, too."""
        for field in ("Content-Length: 5", "Transfer-Encoding: chunked"):
            self.assertEqual(explained("GRPC", field).sent_target, "/x?y")

    def test_websocket(self) -> None:
        """A WebSocket begins in HTTP/1.1, whatever else its endpoint speaks."""
        fields = (
            *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        self.assertEqual(explained("GRPC", *fields).endpoint_protocol, "HTTP/1.1")

    def test_nobody(self) -> None:
        """Where no endpoint is asked, nothing is said of it."""
        self.assertEqual(explained("FCGI").endpoint_protocol, "")
        self.assertIsNone(as_json(explained("FCGI"))["sent"]["protocol"])
