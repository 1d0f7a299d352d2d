"""
Tests for `ingress.kube.api.connection`; the pool is tried in `test_client`.
"""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ingress.kube.api.client import APIClient
from ingress.kube.api.connection import KEEP_ALIVE, Connections, endpoint_maker, keep_alive
from ingress.kube.api.credentials import FixedCredentials
from ingress.kube.api.server import Server
from tests.support.certs import CertificateAuthority, Issued
from tests.support.loopback_api import LoopbackAPI

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'9\r\n{"a": 1}\n\r\n'
)


class KeepAliveTests(SynchronousTestCase):
    """A server that is gone without a word is noticed."""

    def test_options(self) -> None:
        """The system checks silent peers, on every kind of transport."""
        with socket.socket() as sock:
            keep_alive(SimpleNamespace(getHandle=lambda: sock))
            self.assertTrue(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
            for name, value in KEEP_ALIVE.items():
                option = getattr(socket, name)
                self.assertEqual(sock.getsockopt(socket.IPPROTO_TCP, option), value)
        one, other = socket.socketpair()
        with one, other:
            keep_alive(SimpleNamespace(getHandle=lambda: one))
        keep_alive(SimpleNamespace())


class ClosingTests(TestCase):
    """Connections are closed without waiting for the server."""

    timeout = 20.0

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.ca = CertificateAuthority()
        self.api = LoopbackAPI(lambda _: [HEAD])

    def connect(self, certificate: Issued | None) -> None:
        """To a server over TLS; without a certificate to one that says nothing at all."""
        port = self.api.listen(self.reactor, certificate)
        self.addCleanup(port.stopListening)
        server = Server("127.0.0.1", port.getHost().port, ca_pem=self.ca.root_pem)
        self.connections = Connections(self.reactor, endpoint_maker(self.reactor, server))
        self.client = APIClient(self.reactor, server, FixedCredentials(), self.connections)

    async def until_open(self, number: int) -> None:
        while repr(self.connections) != f"<Connections: {number} open>":
            turned: Deferred[None] = Deferred()
            self.reactor.callLater(0.001, turned.callback, None)
            await turned

    async def watch(self) -> Deferred[None]:
        """One that has begun, of a server that reads nothing any more."""
        self.connect(self.ca.issue("127.0.0.1"))
        begun: Deferred[bytes] = Deferred()
        watch = Deferred.fromCoroutine(self.client.watch("/api", {"watch": "1"}, begun.callback))
        await begun
        server: Any = self.api.connections[0].transport
        server.pauseProducing()
        self.addCleanup(server.abortConnection)
        return watch

    async def test_cancel(self) -> None:
        """Cancelling ends a watch, whatever the server does."""
        watch = await self.watch()
        watch.cancel()
        await self.assertFailure(watch, CancelledError)
        await self.until_open(0)

    async def test_close(self) -> None:
        """Closing the client is done when no connection is left."""
        watch = await self.watch()
        watch.addErrback(lambda _: None)
        await self.client.close()
        self.assertEqual(repr(self.connections), "<Connections: 0 open>")

    async def test_handshake(self) -> None:
        """A handshake that does not go on is ended like a watch."""
        self.connect(None)
        self.api.answer_nothing()
        asked = Deferred.fromCoroutine(self.client.get("/api"))
        await self.until_open(1)
        asked.cancel()
        await self.assertFailure(asked, CancelledError)
        await self.until_open(0)
        await self.api.all_lost()
