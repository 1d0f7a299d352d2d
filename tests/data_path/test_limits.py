"""Tests of the configuration's limits, as clients meet them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IHandshakeListener
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Limits
from ingress.downstream.http1_factory import TLSFactory
from ingress.policy.proxy_settings import ProxySettings
from ingress.routing.route import Route
from tests.support.wire import (
    ENDPOINT,
    GET,
    LIMITS,
    OK,
    UPSTREAM,
    Message,
    Wire,
    request,
    snapshot_of,
)


class LimitTests(SynchronousTestCase):
    CLIENT = IPv4Address("TCP", "192.0.2.1", 50000)

    def wire(self, limits: Limits = LIMITS, body_size: int | None = 10) -> Wire:
        wire = Wire(ENDPOINT)
        proxy = ProxySettings(body_size=body_size)
        route = Route(ingress=("default", "web"), upstream=UPSTREAM, proxy=proxy)
        snapshot = snapshot_of(ENDPOINT, route=route)
        wire.plane.publish(replace(snapshot, config=replace(snapshot.config, limits=limits)))
        return wire

    def test_length_too_large(self) -> None:
        """A body whose length tells that it is too large is refused before it is read."""
        wire = self.wire()
        client = wire.connect()
        client.send(request(b"POST", b"Content-Length: 11"))
        self.assertEqual(Message.parse(client.read()).status, 413)
        self.assertEqual(wire.dials, [])
        self.assertTrue(client.saw_end)

    def test_length_that_fits(self) -> None:
        """A body of exactly the limit passes."""
        wire = self.wire()
        client = wire.connect()
        client.send(request(b"POST", b"Content-Length: 10") + b"0123456789")
        self.assertTrue(wire.accept().read().endswith(b"0123456789"))

    def test_chunks_too_large(self) -> None:
        """A body that grows too large is refused, and the endpoint does not see its end."""
        wire = self.wire()
        client = wire.connect()
        client.send(request(b"POST", b"Transfer-Encoding: chunked") + b"6\r\n012345\r\n")
        endpoint = wire.accept()
        self.assertTrue(endpoint.read().endswith(b"6\r\n012345\r\n"))
        client.send(b"6\r\n012345\r\n")
        self.assertEqual(Message.parse(client.read()).status, 413)
        self.assertTrue(endpoint.saw_reset)

    def test_no_body_limit(self) -> None:
        """A body of any length passes without a limit."""
        wire = self.wire(body_size=None)
        wire.connect().send(request(b"POST", b"Content-Length: 1000000000000"))
        self.assertTrue(wire.accept().read().startswith(b"POST "))

    def test_head_size(self) -> None:
        """The configuration limits the size of a head."""
        client = self.wire(Limits(head_size=1024)).connect()
        client.send(request(b"GET", b"X: " + b"x" * 1024))
        self.assertEqual(Message.parse(client.read()).status, 431)

    def test_field_count(self) -> None:
        """The configuration limits the number of fields."""
        client = self.wire(Limits(head_fields=8)).connect()
        client.send(request(b"GET", *[b"X: y"] * 8))
        self.assertEqual(Message.parse(client.read()).status, 431)

    def test_target_size(self) -> None:
        """The configuration limits the size of a target."""
        client = self.wire(Limits(target_size=100)).connect()
        client.send(GET.replace(b"GET /", b"GET /" + b"x" * 100, 1))
        self.assertEqual(Message.parse(client.read()).status, 414)

    def test_requests_of_a_connection(self) -> None:
        """The last request that a connection may have gets `Connection: close`."""
        wire = self.wire(Limits(keep_alive_requests=2))
        client = wire.connect()
        client.send(GET)
        endpoint = wire.accept()
        endpoint.send(OK)
        self.assertNotIn(b"Connection: close", client.read())
        client.send(GET)
        endpoint.send(OK)
        self.assertIn(b"Connection: close", client.read())
        self.assertTrue(client.saw_end)

    def test_changed_while_a_connection_is_kept(self) -> None:
        """A changed limit applies to the next request of an open connection."""
        wire = self.wire()
        client = wire.connect()
        client.send(GET)
        endpoint = wire.accept()
        endpoint.send(OK)
        self.assertNotIn(b"Connection: close", client.read())
        assert wire.plane.exchanges.snapshot is not None
        config = replace(wire.plane.exchanges.snapshot.config, limits=Limits(keep_alive_requests=2))
        wire.plane.publish(replace(wire.plane.exchanges.snapshot, config=config))
        client.send(GET)
        endpoint.send(OK)
        self.assertIn(b"Connection: close", client.read())

    def test_connections_of_a_client(self) -> None:
        """A client that has all the connections it may have gets no more."""
        wire = self.wire(Limits(connections_per_client=1))
        first = wire.connect(self.CLIENT)
        self.assertIsNone(wire.factory.buildProtocol(self.CLIENT))
        self.assertIsNotNone(wire.factory.buildProtocol(IPv4Address("TCP", "192.0.2.2", 1)))
        first.close()
        self.assertIsNotNone(wire.factory.buildProtocol(self.CLIENT))

    def test_connections_of_a_trusted_proxy(self) -> None:
        """A trusted proxy may have any number of connections, because it has many clients."""
        wire = self.wire(Limits(connections_per_client=1))
        assert wire.plane.exchanges.snapshot is not None
        config = replace(
            wire.plane.exchanges.snapshot.config, trusted_proxies=(ip_network("192.0.2.0/24"),)
        )
        wire.plane.publish(replace(wire.plane.exchanges.snapshot, config=config))
        wire.connect(self.CLIENT)
        self.assertIsNotNone(wire.factory.buildProtocol(self.CLIENT))

    def test_handshake_time(self) -> None:
        """A TLS handshake has a time of its own; then the head has its whole time."""
        limits = Limits(tls_handshake_timeout=10, head_timeout=60)
        wire = self.wire(limits)
        factory = TLSFactory(wire.plane.clients, wire.plane.exchanges)
        slow, _ = wire.join(factory, self.CLIENT)
        fast, transport = wire.join(factory, self.CLIENT)
        IHandshakeListener(transport.protocol).handshakeCompleted()
        wire.advance(12)
        self.assertFalse(slow.is_open)
        self.assertTrue(fast.is_open)
