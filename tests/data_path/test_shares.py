"""
Shares of clients and rules while most connections are in use.
"""

from __future__ import annotations

from ipaddress import ip_network

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Limits
from ingress.endpoint import Upstream
from ingress.routing.resource import ReverseProxyResource
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot, VirtualHost
from tests.support.wire import ENDPOINT, OK, SWITCHING, UPGRADE, UPSTREAM, Peer, Wire

ATTACKER, OTHER, PROXY = "192.0.2.1", "192.0.2.2", "10.0.0.1"


class SharesTests(SynchronousTestCase):
    """Eight connections, and two hosts; half as many requests in flight for a client or a rule."""

    def setUp(self) -> None:
        config = Config(limits=Limits(connections=8), trusted_proxies=(ip_network("10.0.0.0/8"),))
        hosts = {
            name.encode(): VirtualHost(
                name, ReverseProxyResource(prefix=Route(("default", name), UPSTREAM, host=name))
            )
            for name in ("a.example", "b.example")
        }
        upstream = Upstream(UPSTREAM, (ENDPOINT,))
        self.wire = Wire(ENDPOINT)
        self.wire.plane.publish(Snapshot(config, hosts=hosts, upstreams={UPSTREAM: upstream}))
        self.shares = self.wire.plane.exchanges.shares

    def connect(self, *addresses: str) -> list[Peer]:
        return [self.wire.connect(IPv4Address("TCP", address, 50000)) for address in addresses]

    def ask(self, client: Peer, *fields: str, host: str = "a.example") -> int:
        """Send a request; return the status of the answer, 0 while there is none."""
        lines = ["GET / HTTP/1.1", f"Host: {host}", *fields, "", ""]
        client.send("\r\n".join(lines).encode())
        answer = client.read()
        return int(answer.split()[1]) if answer else 0

    def test_rule(self) -> None:
        """A rule whose endpoint hangs leaves connections to the requests of others."""
        clients = self.connect(*(f"198.51.100.{number}" for number in range(7)))
        self.assertEqual([self.ask(client) for client in clients[:5]], [0, 0, 0, 0, 503])
        self.assertEqual(self.ask(clients[4], host="b.example"), 0)
        self.wire.accept().send(OK)
        self.assertEqual(self.ask(clients[5]), 0)
        self.assertEqual(self.shares.refused, {"client": 0, "route": 1})

    def test_refusal(self) -> None:
        """A refusal says that it is the load, and when to ask again; the connection stays."""
        clients = self.connect(*(f"198.51.100.{number}" for number in range(7)))
        for client in clients[:4]:
            self.ask(client)
        clients[4].send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        answer = clients[4].receive()
        self.assertEqual(answer.status, 503)
        self.assertEqual(answer.values(b"retry-after"), [b"1"])
        self.assertIn(b"this rule has its share", answer.rest)
        self.assertTrue(clients[4].is_open)

    def test_room(self) -> None:
        """No request is refused while a quarter of all connections is free."""
        clients = self.connect(*[ATTACKER] * 4, OTHER)
        self.assertEqual([self.ask(client) for client in clients], [0] * 5)
        self.assertFalse(self.shares.is_active)

    def test_in_flight_before(self) -> None:
        """Requests count that were in flight before most connections were in use."""
        clients = self.connect(*[ATTACKER] * 4, OTHER)
        for client in clients[:4]:
            self.ask(client)
        late, _ = self.connect(OTHER, OTHER)
        self.assertTrue(self.shares.is_active)
        self.assertEqual(self.ask(late), 503)
        self.assertEqual(self.ask(late, host="b.example"), 0)

    def test_alone(self) -> None:
        """The only client may have as many requests in flight as connections."""
        clients = self.connect(*[ATTACKER] * 8)
        self.assertEqual([self.ask(client) for client in clients], [0] * 8)

    def test_named_client(self) -> None:
        """The client that a trusted proxy names has a share; the proxy itself has none."""
        clients = self.connect(*[PROXY] * 8)
        other, named = f"X-Forwarded-For: {OTHER}", f"X-Forwarded-For: {ATTACKER}"
        self.assertEqual(self.ask(clients[0], other), 0)
        statuses = [
            self.ask(client, named, host=host)
            for client, host in zip(clients[1:5], ["a.example", "b.example"] * 2, strict=True)
        ]
        self.assertEqual(statuses, [0] * 4)
        self.assertEqual(self.ask(clients[5], named, host="b.example"), 503)
        self.assertEqual(self.ask(clients[5], other, host="b.example"), 0)
        self.assertEqual(self.ask(clients[6], host="b.example"), 0)
        self.assertEqual(self.shares.refused, {"client": 1, "route": 0})

    def test_tunnels(self) -> None:
        """A tunnel is a request in flight until it ends."""
        clients = self.connect(*(f"198.51.100.{number}" for number in range(7)))
        for client in clients[:4]:
            client.send(UPGRADE)
            self.wire.accept().send(SWITCHING)
        self.assertEqual(self.ask(clients[4]), 503)
        clients[0].close()
        self.assertEqual(self.ask(clients[4]), 0)

    def test_over(self) -> None:
        """No request is refused any more when there is room again."""
        clients = self.connect(*(f"198.51.100.{number}" for number in range(7)))
        for client in clients[:4]:
            self.ask(client)
        for client in clients[5:]:
            client.close()
        self.assertEqual(self.ask(clients[4]), 0)
        self.assertFalse(self.shares.is_active)
