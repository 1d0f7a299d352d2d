"""
Tests of `ingress.embedding`, with real sockets on the loopback interface.
"""

from __future__ import annotations

from typing import Any

import treq
import yaml
from twisted.internet import reactor
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.resource import Resource
from twisted.web.server import Site

from ingress.config import Config, FilesSource, Listen
from ingress.document import DocumentError
from ingress.embedding import EmbeddedProxy
from tests.support.manifest import ingress_manifest, service_manifest


class Web(Resource):
    """An endpoint, which may fail its health checks."""

    isLeaf = True

    def __init__(self, text: bytes, is_healthy: bool = True) -> None:
        super().__init__()
        self.text = text
        self.is_healthy = is_healthy

    def render_GET(self, request: Any) -> bytes:
        if request.path == b"/health" and not self.is_healthy:
            request.setResponseCode(503)
        return self.text


class EmbeddedProxyTests(TestCase):
    def setUp(self) -> None:
        any_reactor: Any = reactor
        ports = []
        for web in (Web(b"hello"), Web(b"ill", is_healthy=False)):
            port = any_reactor.listenTCP(0, Site(web), interface="127.0.0.1")
            self.addCleanup(port.stopListening)
            ports.append(("127.0.0.1", port.getHost().port))
        self.ports = ports
        self.proxy = self.embed("web", *ports[:1])
        self.pool = HTTPConnectionPool(reactor)
        self.addCleanup(self.pool.closeCachedConnections)

    def embed(self, service: str, *endpoints: tuple[str, int]) -> EmbeddedProxy:
        """A proxy with the endpoints of one Service."""
        source = FilesSource(endpoints={("default", service, ""): endpoints})
        listen = Listen(http=("127.0.0.1:0",), https=())
        proxy = EmbeddedProxy(reactor, Config(listen=listen, source=source, access_log=None))
        self.addCleanup(proxy.stop, 0)
        return proxy

    async def status(self, path: str) -> tuple[int, str]:
        """What a client gets."""
        client = treq.client.HTTPClient(Agent(reactor, pool=self.pool))
        url = f"http://127.0.0.1:{self.proxy.listeners.http.port}{path}"
        response = await client.get(url)
        return response.code, await response.text()

    def manifests(self, path: str) -> str:
        rules = ingress_manifest("web", "a.example", {path: "web"})
        text: str = yaml.safe_dump_all([rules, service_manifest("web")])
        return text.replace("host: a.example", "host: ''")

    async def test_served(self) -> None:
        """Manifests from memory are served, and others in their place without a restart."""
        self.assertEqual(self.proxy.publish(self.manifests("/a")), [])
        await self.proxy.listen()
        self.assertEqual(await self.status("/a"), (200, "hello"))
        self.assertEqual((await self.status("/b"))[0], 404)
        self.proxy.publish(self.manifests("/b"))
        self.assertEqual(await self.status("/b"), (200, "hello"))
        self.assertEqual((await self.status("/a"))[0], 404)

    async def test_health_checks(self) -> None:
        """An endpoint that fails its checks gets no requests any more."""
        self.proxy = self.embed("two", *self.ports)
        checks = {"path": "/health", "interval": "1s", "unhealthy-threshold": "1"}
        rules = ingress_manifest(
            "two",
            "a.example",
            {"/": "two"},
            annotations={f"txingress.dev/health-check-{name}": checks[name] for name in checks},
        )
        text: str = yaml.safe_dump_all([rules, service_manifest("two")])
        self.proxy.publish(text.replace("host: a.example", "host: ''"))
        await self.proxy.listen()
        seen: set[str] = {"ill"}
        while "ill" in seen:
            seen = {(await self.status("/"))[1] for _ in range(6)}
        self.assertEqual(seen, {"hello"})

    async def test_problems(self) -> None:
        """Everything that is wrong with the manifests is returned; the rest is served."""
        broken = ingress_manifest("broken", "b.example", {"/": "web"})
        text = yaml.safe_dump(broken).replace("Prefix", "Prefx")
        problems = self.proxy.publish(f"{text}---\n{self.manifests('/a')}")
        self.assertIn('pathType: "Prefx"', "\n".join(map(str, problems)))
        await self.proxy.listen()
        self.assertEqual(await self.status("/a"), (200, "hello"))

    async def test_nothing_published(self) -> None:
        """Without manifests nothing is accepted, and there is nothing to drain."""
        self.assertRaises(RuntimeError, self.proxy.listen)
        self.assertRaises(DocumentError, self.proxy.publish, "a: [")
        self.assertRaises(RuntimeError, self.proxy.listen)
