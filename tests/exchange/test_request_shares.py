"""Tests of `ingress.exchange.request_shares`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Limits
from ingress.exchange.request_shares import CLIENT, ROUTE, RequestShares
from ingress.routing.route import Route
from ingress.telemetry.record import ExchangeRecord

SLOW = Route(("default", "slow"), None, host="slow.example")
OTHER = Route(("default", "other"), None, host="other.example")
ATTACKER = b"192.0.2.1"


class RequestSharesTests(SynchronousTestCase):
    """Eight connections: a client may have four requests in flight, a route six."""

    def setUp(self) -> None:
        self.is_crowded = True
        self.records: list[ExchangeRecord] = []
        self.shares = RequestShares(lambda: self.is_crowded, lambda: self.records)
        self.shares.apply(Limits(client_share=0.5, route_share=0.75), 8)

    def begin(self, *clients: bytes, route: Route = SLOW, is_exempt: bool = False) -> list[str]:
        """Begin requests of these clients; return the result of each."""
        found = []
        for client in clients:
            beyond = self.shares.begin(client, route, is_exempt=is_exempt)
            found.append(beyond or "ok")
            if beyond is not None:
                self.shares.end(client, route)
        return found

    def clients(self, count: int) -> list[bytes]:
        return [b"198.51.100.%d" % number for number in range(count)]

    def test_client(self) -> None:
        """A client with its share in flight is refused, and others are not."""
        self.begin(b"198.51.100.1")
        self.assertEqual(self.begin(*[ATTACKER] * 5), ["ok"] * 4 + [CLIENT])
        self.assertEqual(self.begin(b"198.51.100.1", route=OTHER), ["ok"])
        self.assertEqual(self.shares.refused, {CLIENT: 1, ROUTE: 0})

    def test_route(self) -> None:
        """A route beyond its share gets no requests of any client; other routes do."""
        self.assertEqual(self.begin(*self.clients(7)), ["ok"] * 6 + [ROUTE])
        self.assertEqual(self.begin(*self.clients(2), route=OTHER), ["ok", "ok"])
        self.assertEqual(self.shares.refused, {CLIENT: 0, ROUTE: 1})

    def test_alone(self) -> None:
        """The only client may have all requests in flight, on one route."""
        self.assertEqual(self.begin(*[ATTACKER] * 8), ["ok"] * 8)
        self.assertEqual(self.begin(b"198.51.100.1"), [ROUTE])
        self.assertEqual(self.begin(b"198.51.100.1", route=OTHER), ["ok"])

    def test_end(self) -> None:
        """A request that has ended makes room for another one of the same client."""
        self.begin(b"198.51.100.1")
        self.begin(*[ATTACKER] * 4)
        self.shares.end(ATTACKER, SLOW)
        self.assertEqual(self.begin(ATTACKER, ATTACKER), ["ok", CLIENT])

    def test_moved(self) -> None:
        """A request whose path leads to another route is counted there, and not any more here."""
        self.begin(*self.clients(6))
        self.shares.move(SLOW, OTHER)
        self.assertEqual(self.begin(b"203.0.113.1", b"203.0.113.2"), ["ok", ROUTE])
        self.shares.end(b"198.51.100.0", OTHER)
        self.assertEqual(self.begin(*self.clients(7), route=OTHER), ["ok"] * 6 + [ROUTE])

    def test_exempt(self) -> None:
        """A proxy that names no client is not bound by a client's share, but by that of a route."""
        self.begin(b"198.51.100.1", route=OTHER)
        self.assertEqual(self.begin(*[b"10.0.0.1"] * 7, is_exempt=True), ["ok"] * 6 + [ROUTE])

    def test_room(self) -> None:
        """Nothing is counted or refused while there is room."""
        self.is_crowded = False
        self.assertEqual(self.begin(*[ATTACKER] * 20), ["ok"] * 20)
        self.assertFalse(self.shares.is_active)
        self.assertEqual(repr(self.shares), "<RequestShares idle>")

    def test_in_flight_before(self) -> None:
        """Requests that were in flight before most connections were in use count as well."""
        for client, route in [*[(ATTACKER, SLOW)] * 4, (b"198.51.100.1", OTHER), (b"", None)]:
            record = ExchangeRecord(client, 0.0)
            record.route = route
            self.records.append(record)
        self.shares.look()
        self.assertTrue(self.shares.is_active)
        self.assertEqual(self.begin(ATTACKER), [CLIENT])
        for record in self.records:
            if record.route is not None:
                self.shares.end(record.client_address, record.route)
        self.assertEqual(repr(self.shares), "<RequestShares of 0 requests>")

    def test_over(self) -> None:
        """Counting stops when there is room again, and begins anew the next time."""
        self.begin(*[ATTACKER] * 4, b"198.51.100.1")
        self.is_crowded = False
        self.assertEqual(self.begin(ATTACKER), ["ok"])
        self.assertFalse(self.shares.is_active)
        self.is_crowded = True
        self.assertEqual(self.begin(ATTACKER, ATTACKER), ["ok", "ok"])
        self.assertEqual(repr(self.shares), "<RequestShares of 2 requests>")

    def test_off(self) -> None:
        """With shares of 1 no request is refused before all connections are in use."""
        self.shares.apply(Limits(client_share=1.0, route_share=1.0), 8)
        self.begin(b"198.51.100.1")
        self.assertEqual(self.begin(*[ATTACKER] * 7), ["ok"] * 7)
