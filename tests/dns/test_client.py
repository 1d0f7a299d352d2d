"""
Tests for `ingress.dns.client`, with a name server on the loopback interface.
"""

from __future__ import annotations

import socket
from random import Random
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.names import dns, error
from twisted.trial.unittest import TestCase

from ingress.dns.client import DNSClient
from ingress.dns.errors import LookupFailed
from tests.support.name_server import LOOPBACK, NameServer

reactor: Any = _reactor


class DNSClientTests(TestCase):
    def setUp(self) -> None:
        self.server = NameServer(reactor)
        self.addCleanup(self.server.stop)

    def make(self, *ports: int, timeout: float = 5.0, attempts: int = 2) -> DNSClient:
        servers = [(LOOPBACK, port) for port in ports or (self.server.port,)]
        return DNSClient(reactor, servers, timeout, attempts, Random(1))

    def refusing_port(self) -> int:
        """A UDP port without a listener, which nobody else can get."""
        taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(taken.close)
        taken.bind((LOOPBACK, 0))
        # It takes from this peer alone, so that all others are refused.
        taken.connect((LOOPBACK, 9))
        port: int = taken.getsockname()[1]
        return port

    async def addresses(self, client: DNSClient, name: str = "a.example") -> list[str]:
        message = await client.ask(name, dns.A)
        payloads: list[Any] = [answer.payload for answer in message.answers]
        return [payload.dottedQuad() for payload in payloads]

    async def assert_fails(self, client: DNSClient, expected: str, name: str = "a.example") -> None:
        failing = Deferred.fromCoroutine(client.ask(name, dns.A))
        raised = await self.assertFailure(failing, LookupFailed)
        self.assertIn(expected, str(raised))

    async def test_answer(self) -> None:
        """A question is answered."""
        self.server.put("a.example", "10.0.0.1")
        self.assertEqual(await self.addresses(self.make()), ["10.0.0.1"])

    async def test_no_name(self) -> None:
        """A name that does not exist is an answer."""
        message = await self.make().ask("a.example", dns.A)
        self.assertEqual((message.rCode, message.answers), (dns.ENAME, []))

    async def test_long(self) -> None:
        """An answer that is too long for UDP comes over TCP."""
        many = [f"10.0.{n}.1" for n in range(100)]
        self.server.put("a.example", *many)
        self.assertEqual(sorted(await self.addresses(self.make())), sorted(many))

    async def test_next_server(self) -> None:
        """A server that is not there, or that fails, is no reason not to ask the next one."""
        self.server.put("a.example", "10.0.0.1")
        other = NameServer(reactor)
        self.addCleanup(other.stop)
        other.fail("a.example", error.DNSServerError())
        client = self.make(self.refusing_port(), other.port, self.server.port, timeout=30.0)
        self.assertEqual(await self.addresses(client), ["10.0.0.1"])

    async def test_failures(self) -> None:
        """A question that no server answers fails with the last server's reason."""
        self.server.fail("a.example", error.DNSServerError())
        await self.assert_fails(self.make(), "name server 127.0.0.1 fails (SERVFAIL)")
        self.server.fail("a.example", error.DNSQueryRefusedError())
        await self.assert_fails(self.make(), "refuses to answer (REFUSED)")
        await self.assert_fails(self.make(self.refusing_port()), "cannot be reached")
        await self.assert_fails(
            DNSClient(reactor, (), 1.0, 2, Random(1)), "no name server is configured"
        )

    async def test_silent(self) -> None:
        """A server that says nothing is given up after its time, and asked again."""
        self.server.is_silent = True
        await self.assert_fails(self.make(timeout=0.01), "does not answer")

    async def test_no_family(self) -> None:
        """A server that there is no way to is one that cannot be reached."""
        client = DNSClient(reactor, [("fe80::1%nowhere", 53)], 1.0, 1, Random(1))
        await self.assert_fails(client, "cannot be reached")
