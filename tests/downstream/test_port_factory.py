"""Tests of `ingress.downstream.port_factory`."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Limits
from ingress.downstream.port_factory import PortFactory
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.port_service import TCP, PortKey, PortService, PortSource
from tests.support.relays import MemoryViewTransport
from tests.support.wire import ENDPOINT, OTHER_ENDPOINT, UPSTREAM, Wire, snapshot_of

KEY = PortKey(TCP, 9000)
OTHER = UpstreamKey("default", "other", "1")


class FactoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire(config=Config(limits=Limits(connections_per_client=2)))
        self.wire.transport = MemoryViewTransport
        plane = self.wire.plane
        self.factory = PortFactory(plane.clients, plane.relays, KEY)

    def lead_to(self, key: UpstreamKey, endpoint: Endpoint) -> None:
        config = Config(limits=Limits(connections_per_client=2))
        snapshot = snapshot_of(ENDPOINT, config=config)
        upstreams = {**snapshot.upstreams, key: Upstream(key, (endpoint,))}
        ports = {KEY: PortService(KEY, key, PortSource())}
        self.wire.plane.publish(replace(snapshot, ports=ports, upstreams=upstreams))

    def test_leads(self) -> None:
        """A connection goes where the port leads at its moment, and stays there."""
        client = IPv4Address("TCP", "192.0.2.1", 50000)
        self.lead_to(UPSTREAM, ENDPOINT)
        first, _ = self.wire.join(self.factory, client)
        self.lead_to(OTHER, OTHER_ENDPOINT)
        second, _ = self.wire.join(self.factory, client)
        one, other = self.wire.next_dial(), self.wire.next_dial()
        self.assertEqual((one.endpoint, other.endpoint), (ENDPOINT, OTHER_ENDPOINT))
        endpoint = one.accept()
        first.send(b"still here")
        self.assertEqual(endpoint.read(), b"still here")
        self.assertTrue(second.is_open)

    def test_limits(self) -> None:
        """A client has as many connections as it may have, whatever they are for."""
        self.lead_to(UPSTREAM, ENDPOINT)
        client = IPv4Address("TCP", "192.0.2.1", 50000)
        self.wire.connect(client)
        self.wire.join(self.factory, client)
        self.assertIsNone(self.factory.buildProtocol(client))
        self.assertIsNotNone(self.factory.buildProtocol(IPv4Address("TCP", "192.0.2.2", 1)))

    def test_closed(self) -> None:
        """A connection that comes while the port is about to be closed is refused."""
        self.assertIsNone(self.factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1)))
