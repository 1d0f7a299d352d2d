"""Tests of the gate of limits: what it keeps of a client, and how it counts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.policy.bucket_table import Rate
from ingress.policy.gate import COUNTED, UNDECIDED
from ingress.policy.in_flight import MOST_IDLE
from ingress.policy.limit_gate import LimitGate
from ingress.policy.limiter import Limiter
from ingress.testing import policy_context

REQUEST = policy_context().request


def gate(
    zone: str = "web", connections: int = 0, rate: int = 0, is_shared: bool = False
) -> LimitGate:
    rates = (Rate(rate * 1000, 0, 0),) if rate else ()
    named = ("rps",) if rate else ()
    return LimitGate(
        ("default", zone), named, rates, connections, None, False, is_shared, (503, 503)
    )


def client(address: bytes = b"192.0.2.1") -> BelievedClient:
    return BelievedClient(address, b"a.example", b"", is_secure=False, is_trusted=False)


class LimitGateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.limiter = Limiter()

    def decide(self, asked: LimitGate, who: BelievedClient, now: float = 1.0) -> object:
        return asked.decide(REQUEST, who, None, self.limiter, now)

    def test_zones(self) -> None:
        """A client that asks two Ingresses in turn has a count at each of them."""
        who, one, other = client(), gate("one", 2), gate("other", 1)
        for asked in (one, other, one):
            self.assertIs(self.decide(asked, who), COUNTED)
        for asked in (one, other):
            self.assertIsInstance(self.decide(asked, who), Answer)
        one.ended(who, self.limiter)
        self.assertIs(self.decide(one, who), COUNTED)
        self.assertIsInstance(self.decide(other, who), Answer)

    def test_connections(self) -> None:
        """The connections of a client count together, also those that come over IPv6."""
        for addresses in ((b"192.0.2.1", b"192.0.2.1"), (b"2001:db8::1", b"2001:db8::2")):
            asked, (first, second) = gate(connections=1), map(client, addresses)
            self.assertIs(self.decide(asked, first), COUNTED)
            self.assertIsInstance(self.decide(asked, second), Answer)
            asked.ended(first, self.limiter)
            self.assertIs(self.decide(asked, second), COUNTED)
            asked.ended(second, self.limiter)

    def test_rebuilt(self) -> None:
        """The gate of a new Snapshot goes on with the counts of the one before."""
        who = client()
        self.assertIs(self.decide(gate(connections=1), who), COUNTED)
        again = gate(connections=1)
        self.assertIsInstance(self.decide(again, who), Answer)
        again.ended(who, self.limiter)
        self.assertIs(self.decide(again, who), COUNTED)
        rated = gate(rate=1)
        self.assertIsNone(self.decide(rated, who))
        self.assertIsInstance(self.decide(gate(rate=1), who), Answer)
        self.assertIsNone(self.decide(rated, who, now=2.0))

    def test_forgotten(self) -> None:
        """A connection that was idle while its count was forgotten counts with the others again."""
        asked, idle = gate(connections=1), client()
        self.assertIs(self.decide(asked, idle), COUNTED)
        asked.ended(idle, self.limiter)
        for number in range(MOST_IDLE):
            self.limiter.in_flight.flight_of(number)
        self.assertIs(self.decide(asked, client()), COUNTED)
        self.assertIsInstance(self.decide(asked, idle), Answer)

    def test_shared(self) -> None:
        """Limits that all replicas share are left to the policy."""
        self.assertIs(self.decide(gate(rate=1, is_shared=True), client()), UNDECIDED)
