"""Tests of the gate of source ranges: what it keeps of a client."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.address_ranges import AddressRanges, parse_range
from ingress.believed_client import BelievedClient
from ingress.policy.address_gate import NOT_ALLOWED, AddressGate
from ingress.policy.limiter import Limiter
from ingress.testing import policy_context


def ranges(*written: str) -> AddressRanges:
    return AddressRanges.of(map(parse_range, written))


class AddressGateTests(SynchronousTestCase):
    def decide(self, gate: AddressGate, client: BelievedClient) -> object:
        return gate.decide(policy_context().request, client, None, Limiter(), 0.0)

    def test_several(self) -> None:
        """A client that some ranges let in is refused by others, in any order."""
        client = BelievedClient(b"192.0.2.1", b"", b"", is_secure=False, is_trusted=False)
        letting = AddressGate(ranges("192.0.2.0/24"), None)
        refusing = (
            AddressGate(ranges("198.51.100.0/24"), None),
            AddressGate(None, ranges("192.0.2.1")),
            AddressGate(ranges("192.0.2.0/24"), ranges("192.0.2.1")),
        )
        for gate in refusing:
            for _ in range(2):
                self.assertIsNone(self.decide(letting, client))
                self.assertIs(self.decide(gate, client), NOT_ALLOWED)
                self.assertIs(self.decide(gate, client), NOT_ALLOWED)

    def test_no_address(self) -> None:
        """The client of a UNIX socket is on no list, however often it asks."""
        client = BelievedClient(b"", b"", b"", is_secure=False, is_trusted=False)
        gate = AddressGate(ranges("0.0.0.0/0", "::/0"), None)
        for _ in range(2):
            self.assertIs(self.decide(gate, client), NOT_ALLOWED)
