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
    """An endpoint."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        return b"hello"


class EmbeddedProxyTests(TestCase):
    def setUp(self) -> None:
        any_reactor: Any = reactor
        port = any_reactor.listenTCP(0, Site(Web()), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.proxy = EmbeddedProxy(
            reactor,
            Config(
                listen=Listen(http=("127.0.0.1:0",), https=()),
                source=FilesSource(
                    endpoints={("default", "web", ""): (("127.0.0.1", port.getHost().port),)}
                ),
                access_log=None,
            ),
        )
        self.addCleanup(lambda: self.proxy.stop(0))
        self.pool = HTTPConnectionPool(reactor)
        self.addCleanup(self.pool.closeCachedConnections)

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
