"""Tests of `ingress.downstream.admission`."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Limits
from ingress.downstream.admission import LOOK_INTERVAL, Admission
from ingress.downstream.connection_limit import ConnectionLimit
from ingress.downstream.open_connections import OpenConnections
from ingress.exchange.client import Client

ATTACKER, VICTIM, PROXY = "192.0.2.1", "192.0.2.2", "10.0.0.1"


class Connection:
    """A connection of a client, with or without a request in flight."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.activity = "waiting"
        self.is_cut = False

    def in_flight(self) -> tuple[()]:
        """Nothing."""
        return ()

    def close_if_idle(self) -> None:
        raise NotImplementedError

    def cut(self) -> None:
        self.is_cut = True


class AdmissionTests(SynchronousTestCase):
    """Eight connections for all; a client has half of them while six are in use."""

    def setUp(self) -> None:
        self.connections = OpenConnections()
        self.limit = ConnectionLimit(8)
        self.admission = Admission(self.connections, self.limit)
        self.now = 100.0
        self.apply()

    def apply(self, **limits: object) -> None:
        config = Config(
            limits=replace(Limits(connections=8), **limits),  # type: ignore[arg-type]
            trusted_proxies=(ip_network("10.0.0.0/8"),),
        )
        self.admission.apply(config)
        self.limit.apply(config.limits)

    def connect(self, address: str, count: int = 1, activity: str = "waiting") -> list[Connection]:
        """Connect as a port would; return the connections that were admitted."""
        admitted = []
        for _ in range(count):
            if not self.limit.has_room() and not self.limit.can_make_room(self.now):
                break
            if self.admission.admit(Client(address, is_secure=False)):
                connection = Connection(address)
                connection.activity = activity
                self.connections.add(connection)
                self.limit.opened(connection)
                admitted.append(connection)
        return admitted

    def close_cut(self) -> None:
        """The reactor closes those that were cut."""
        for connection in tuple(self.connections._open):
            if isinstance(connection, Connection) and connection.is_cut:
                self.connections.discard(connection)
                self.limit.closed(connection)

    def counts(self) -> tuple[int, int, int]:
        return (self.admission.refused, self.admission.beyond_share, self.admission.gave_way)

    def test_alone(self) -> None:
        """A client without others may use all connections, and gets no more than all."""
        self.assertEqual(len(self.connect(ATTACKER, 8)), 8)
        self.assertEqual(self.counts(), (0, 0, 0))
        self.assertEqual(self.connect(ATTACKER, 3), [])
        self.assertEqual(self.counts(), (3, 3, 0))

    def test_share(self) -> None:
        """A client is bound to its share while most connections are in use; others get the rest."""
        self.connect(VICTIM, 2)
        self.assertEqual(len(self.connect(ATTACKER, 8)), 4)
        self.assertEqual(self.counts(), (4, 4, 0))
        self.assertEqual(len(self.connect(VICTIM, 2)), 2)

    def test_room_for_all(self) -> None:
        """A client may have more than its share while there is room."""
        self.connect(VICTIM)
        self.assertEqual(len(self.connect(ATTACKER, 5)), 5)

    def test_gives_way(self) -> None:
        """The oldest idle connection of the client that holds all gives way for another client."""
        held = self.connect(ATTACKER, 8)
        held[0].activity = "writing"
        self.assertEqual(len(self.connect(VICTIM)), 1)
        self.assertEqual([one.is_cut for one in held], [False, True, *[False] * 6])
        self.assertEqual(self.counts(), (0, 0, 1))
        self.close_cut()
        self.assertEqual(len(self.connections), 8)
        self.assertFalse(self.limit.has_room())

    def test_many_newcomers(self) -> None:
        """Newcomers that come at once each have another connection give way, down to fairness."""
        held = self.connect(ATTACKER, 8)
        for number in range(20):
            self.connect(f"198.51.100.{number}")
        self.close_cut()
        self.assertEqual(self.connections.count(ATTACKER), 1)
        self.assertEqual(len(self.connections), 8)
        self.assertEqual(sum(one.is_cut for one in held), 7)

    def test_requests_in_flight(self) -> None:
        """Requests in flight give way last, and only those beyond the share of their client."""
        held = self.connect(ATTACKER, 8, "writing")
        for number in range(6):
            self.connect(f"198.51.100.{number}")
        self.assertEqual(sum(one.is_cut for one in held), 4)
        self.assertEqual(self.counts(), (0, 0, 4))

    def test_half_a_head(self) -> None:
        """A connection that only sends half a head gives way like an idle one."""
        held = self.connect(ATTACKER, 8, "reading")
        for number in range(7):
            self.connect(f"198.51.100.{number}")
        self.assertEqual(sum(one.is_cut for one in held), 7)

    def test_became_busy(self) -> None:
        """A connection that was chosen as idle stays when it has a request by then."""
        held = self.connect(ATTACKER, 4) + self.connect(VICTIM, 4)
        self.assertTrue(self.limit.can_make_room(self.now))
        for one in held:
            one.activity = "writing"
        self.now += LOOK_INTERVAL
        self.assertEqual(self.connect("198.51.100.1"), [])
        self.assertFalse(any(one.is_cut for one in held))

    def test_one_each(self) -> None:
        """No connection gives way if every client has one; new ones wait."""
        for number in range(8):
            self.connect(f"198.51.100.{number}")
        self.assertFalse(self.limit.can_make_room(self.now))
        self.assertEqual(self.counts(), (0, 0, 0))

    def test_looked_rarely(self) -> None:
        """A search without result is not repeated for a while."""
        held = [*self.connect(ATTACKER, 2, "writing"), *self.connect(VICTIM, 2, "writing")]
        for number in range(4):
            self.connect(f"198.51.100.{number}")
        self.assertFalse(self.limit.can_make_room(self.now))
        held[0].activity = "waiting"
        self.assertFalse(self.limit.can_make_room(self.now))
        self.now += LOOK_INTERVAL
        self.assertTrue(self.limit.can_make_room(self.now))

    def test_trusted_proxy(self) -> None:
        """A trusted proxy has no share, and its connections do not give way."""
        self.connect(VICTIM)
        held = self.connect(PROXY, 7)
        self.assertEqual(len(held), 7)
        self.assertFalse(self.limit.can_make_room(self.now))
        self.assertEqual(self.connect(VICTIM), [])
        self.assertFalse(any(one.is_cut for one in held))

    def test_way_for_a_proxy(self) -> None:
        """Other connections give way for a trusted proxy, however many it has."""
        self.connect(PROXY, 4)
        self.connect(ATTACKER, 4)
        self.assertEqual(len(self.connect(PROXY)), 1)
        self.assertEqual(self.counts(), (0, 0, 1))

    def test_unix(self) -> None:
        """Clients of UNIX sockets are unknown, and have no share."""
        self.connect(VICTIM)
        self.assertEqual(len(self.connect("", 7)), 7)
        self.assertFalse(self.limit.can_make_room(self.now))

    def test_limit_of_a_client(self) -> None:
        """The limit `connections-per-client` holds even while there is room."""
        self.apply(connections_per_client=2)
        self.assertEqual(len(self.connect(VICTIM, 3)), 2)
        self.assertEqual(len(self.connect(PROXY, 3)), 3)
        self.assertEqual(self.counts(), (1, 0, 0))

    def test_off(self) -> None:
        """With a share of 1 a client may have as many as there are."""
        self.apply(client_share=1.0)
        self.connect(VICTIM)
        self.assertEqual(len(self.connect(ATTACKER, 7, "writing")), 7)
        self.assertFalse(self.limit.can_make_room(self.now))
