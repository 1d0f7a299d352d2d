"""Tests of the lists of source ranges."""

from __future__ import annotations

import pickle
from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.config import Config
from ingress.policy.annotation import Closing, Extent, Subject
from ingress.policy.source_ranges import SourceRanges
from ingress.routing.route import Route
from ingress.testing import Reading, policy_context, read_annotations
from tests.support.wire import OK, UPSTREAM, Wire, request

CLOSED = Closing(Extent.RULES, Subject.ACCESS)
ALLOW, OLD_ALLOW, DENY = (
    "allowlist-source-range",
    "whitelist-source-range",
    "denylist-source-range",
)


def read(**values: str) -> Reading:
    names = {"allow": ALLOW, "old": OLD_ALLOW, "deny": DENY}
    return read_annotations(SourceRanges, {names[key]: value for key, value in values.items()})


class SourceRangesTests(SynchronousTestCase):
    def lets_in(self, address: bytes, **values: str) -> bool:
        """Whether the lists let a client in."""
        reading = read(**values)
        self.assertEqual((reading.faults, reading.closing), ({}, None))
        policy = reading.feature
        assert isinstance(policy, SourceRanges)
        answer = policy.access(policy_context(address=address))
        if answer is None:
            return True
        assert isinstance(answer, Answer)
        self.assertEqual(answer.status, 403)
        return False

    def test_allowed(self) -> None:
        """Those on the list are let in, and nobody else; either name of the list will do."""
        for values in ({"allow": "10.0.0.0/8, 2001:db8::/32,192.0.2.7"},):
            for name in ("allow", "old"):
                lists = {name: values["allow"]}
                for address, is_in in (
                    (b"10.255.255.255", True),
                    (b"11.0.0.0", False),
                    (b"9.255.255.255", False),
                    (b"192.0.2.7", True),
                    (b"192.0.2.8", False),
                    (b"2001:db8:ffff::1", True),
                    (b"2001:db9::", False),
                    (b"::a00:1", False),
                    (b"", False),
                ):
                    self.assertEqual(self.lets_in(address, **lists), is_in, (name, address))

    def test_newer_name(self) -> None:
        """Where both names are there, the newer one counts."""
        self.assertTrue(self.lets_in(b"192.0.2.1", allow="192.0.2.1", old="10.0.0.1"))
        self.assertFalse(self.lets_in(b"10.0.0.1", allow="192.0.2.1", old="10.0.0.1"))

    def test_denied(self) -> None:
        """Those on the other list get 403, also where they are allowed; all others are let in."""
        for address, is_in in ((b"10.0.0.1", False), (b"10.1.0.1", True), (b"", True)):
            self.assertEqual(self.lets_in(address, deny="10.0.0.0/16"), is_in, address)
        self.assertFalse(self.lets_in(b"10.0.0.1", deny="10.0.0.0/16", allow="10.0.0.0/8"))
        self.assertTrue(self.lets_in(b"10.1.0.1", deny="10.0.0.0/16", allow="10.0.0.0/8"))
        self.assertFalse(self.lets_in(b"192.0.2.1", deny="10.0.0.0/16", allow="10.0.0.0/8"))

    def test_everybody(self) -> None:
        """A list that lets everybody in, as cert-manager writes it, asks for nothing."""
        for value in ("0.0.0.0/0,::/0", "::/0, 0.0.0.0/0,", "10.0.0.0/8,0.0.0.0/0,::/0"):
            self.assertEqual(read(old=value), Reading(None, {}, None), value)
        self.assertFalse(self.lets_in(b"::1", allow="0.0.0.0/0"))
        self.assertFalse(self.lets_in(b"192.0.2.1", deny="0.0.0.0/0,::/0"))
        self.assertFalse(self.lets_in(b"192.0.2.1", deny="0.0.0.0/0,::/0", allow="192.0.2.1"))

    def test_bad(self) -> None:
        """A list with a bad entry, or without any, closes the paths; the Problem names it."""
        for value in (
            "",
            ",",
            "off",
            "10.0.0.0/33",
            "10.0.0.0/8,x",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "010.0.0.1",
            "1.2.3",
            "fe80::1%eth0",
            "::/129",
            "10.0.0.0/8;",
            "a\0b",
            "10.0.0.1\r\nallow all",
            "\u0661.0.0.1",
            "1" * 100_000,
        ):
            for name in ("allow", "old", "deny"):
                reading = read(**{name: value})
                self.assertEqual(reading.closing, CLOSED, (name, value[:20]))
                self.assertEqual(len(reading.faults), 1)
        reading = read(allow="10.0.0.0/8", deny="x")
        self.assertEqual(reading.closing, CLOSED)

    def test_many(self) -> None:
        """Ten thousand ranges are as right as one, and equal whatever their order."""
        entries = [f"10.{number // 256}.{number % 256}.0/25" for number in range(10_000)]
        self.assertTrue(self.lets_in(b"10.39.15.127", allow=",".join(entries)))
        self.assertFalse(self.lets_in(b"10.39.15.128", allow=",".join(entries)))

    def test_shown(self) -> None:
        """The lists are shown and explained, of a long one the beginning, and survive pickling."""
        policy = read(allow="10.0.0.0/8", deny=",".join(["10.0.0.1"] * 100)).feature
        assert isinstance(policy, SourceRanges)
        self.assertEqual(
            policy.shown(),
            {"sourceRanges": {"allowed": ["10.0.0.0/8"], "denied": ["10.0.0.1"] * 20}},
        )
        self.assertIn("Only clients from 10.0.0.0/8 are let in", policy.explain())
        self.assertEqual(pickle.loads(pickle.dumps(policy)), policy)
        self.assertTrue(policy.guards)


class ExchangeTests(SynchronousTestCase):
    """What clients get, in bytes."""

    def test_address(self) -> None:
        """The client that a trusted proxy names counts, and what a stranger says does not."""
        policy = read(allow="203.0.113.0/24").feature
        assert isinstance(policy, SourceRanges)
        route = Route(ingress=("default", "web"), upstream=UPSTREAM, policies=(policy,))
        for trusted, status in (("192.0.2.0/24", 200), ("10.0.0.0/8", 403)):
            wire = Wire(config=Config(trusted_proxies=(ip_network(trusted),)), route=route)
            client = wire.connect()
            client.send(request(b"GET", b"X-Forwarded-For: 203.0.113.9"))
            if status == 200:
                wire.accept().send(OK)
            self.assertEqual(client.receive().status, status)
            self.assertEqual(wire.dials, [])
