"""
Tests for `ingress.routing.build.named_endpoint`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import Endpoint
from ingress.kube.objects import ResolvedName
from ingress.routing.build.named_endpoint import MAX_FAULTS, NameLookup
from tests.support.objects import resolved_name


def lookup(*names: ResolvedName, is_from_cluster: bool = True) -> NameLookup:
    return NameLookup({name.key: name for name in names}, is_from_cluster=is_from_cluster)


class NameLookupTests(SynchronousTestCase):
    def test_addresses(self) -> None:
        """Each address is an endpoint, which remembers the name."""
        names = lookup(resolved_name("a.example", "192.0.2.1", "fd00::1"))
        self.assertEqual(
            names.endpoints("A.example", 80),
            [Endpoint("192.0.2.1", 80, "a.example"), Endpoint("fd00::1", 80, "a.example")],
        )
        self.assertEqual((names.names, names.fault), ({"a.example"}, ""))

    def test_pending(self) -> None:
        """A name that was not resolved yet is remembered, for somebody to do so."""
        names = lookup()
        self.assertEqual(names.endpoints("a.example.", 80), [])
        self.assertTrue(names.is_pending)
        self.assertEqual((names.names, names.fault), ({"a.example."}, ""))

    def test_literal(self) -> None:
        """An address stands for itself, and is no name."""
        names = lookup()
        self.assertEqual(names.endpoints("192.0.2.1", 80), [Endpoint("192.0.2.1", 80)])
        self.assertEqual(names.names, frozenset())

    def test_refused(self) -> None:
        """One address among several that must not be is enough for none to be used."""
        for address in (
            "127.9.9.9",
            "::1",
            "169.254.1.1",
            "fe80::1",
            "0.0.0.0",
            "::ffff:127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::169.254.169.254",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
        ):
            names = lookup(resolved_name("a.example", "192.0.2.1", address))
            self.assertEqual(names.endpoints("a.example", 80), [], address)
            self.assertTrue(names.is_refused)
            self.assertIn(f"a.example resolves to {address}, ", names.fault)
            self.assertEqual(lookup().endpoints(address, 80), [], address)

    def test_files(self) -> None:
        """From files they all may be."""
        names = lookup(resolved_name("a.example", "127.0.0.1"), is_from_cluster=False)
        self.assertEqual(len(names.endpoints("a.example", 80)), 1)
        self.assertEqual(len(names.endpoints("127.0.0.1", 80)), 1)

    def test_old(self) -> None:
        """Addresses that may be old serve, with a fault."""
        names = lookup(resolved_name("a.example", "192.0.2.1", fault="it is silent"))
        self.assertEqual(len(names.endpoints("a.example", 80)), 1)
        self.assertEqual(names.fault, "it is silent")

    def test_many(self) -> None:
        """Of many faults some are told, in an order of their own."""
        every = [resolved_name(f"{n}.example", fault=f"fault {n}") for n in range(MAX_FAULTS + 2)]
        names = lookup(*every)
        for item in reversed(every):
            names.endpoints(item.metadata.name, 80)
        self.assertEqual(names.fault, "fault 0; fault 1; fault 2; and 2 more")
