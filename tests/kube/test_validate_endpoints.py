"""
Tests for `ingress.kube.validate_endpoints`.
"""

from __future__ import annotations

from typing import Literal

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.fault import spell_field
from ingress.kube.objects import (
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSlice,
    EndpointSubset,
    Metadata,
    SliceEndpoint,
)
from ingress.kube.validate_endpoints import (
    address_fault,
    endpoint_slice_faults,
    endpoints_faults,
)

NAMED = Metadata(name="a")


def slice_fields(item: EndpointSlice) -> list[str]:
    """The field of every fault of a slice."""
    return [spell_field(fault.path) for fault in endpoint_slice_faults(item)]


def fields(*subsets: EndpointSubset) -> list[str]:
    """The field of every fault of an Endpoints object."""
    item = Endpoints(metadata=NAMED, subsets=subsets)
    return [spell_field(fault.path) for fault in endpoints_faults(item)]


class SliceTests(SynchronousTestCase):
    """EndpointSlices."""

    def accepts(self, address_type: Literal["IPv4", "IPv6", "FQDN"], address: str) -> bool:
        item = EndpointSlice(
            metadata=NAMED,
            address_type=address_type,
            endpoints=(SliceEndpoint(addresses=(address,)),),
        )
        found = slice_fields(item)
        self.assertIn(found, ([], ["endpoints[0].addresses[0]"]))
        return not found

    def test_ipv4(self) -> None:
        """IPv4 addresses, loopback included."""
        for address in ("10.0.0.1", "127.0.0.1"):
            self.assertTrue(self.accepts("IPv4", address))
        for address in (
            "",
            "::1",
            "a.b",
            "10.0.0.256",
            "010.0.0.1",
            "10.0.0.1:80",
            "0.0.0.0",
            "169.254.1.1",
            "224.0.0.1",
        ):
            self.assertFalse(self.accepts("IPv4", address), address)

    def test_loopback(self) -> None:
        """In a cluster, loopback addresses are faults."""
        for address_type, address, is_fault in (
            ("IPv4", "127.0.0.1", True),
            ("IPv4", "10.0.0.1", False),
            ("IPv6", "::1", True),
            ("IPv6", "::ffff:127.0.0.1", True),
            ("FQDN", "a.example", False),
        ):
            message = address_fault(address, address_type, is_from_cluster=True)
            self.assertEqual("loopback" in message, is_fault, address)

    def test_ipv6(self) -> None:
        """IPv6 addresses without zone."""
        for address in ("fd00::1", "::1"):
            self.assertTrue(self.accepts("IPv6", address))
        for address in (
            "10.0.0.1",
            "[::1]",
            "fe80::1",
            "fd00::1%eth0",
            "::",
            "ff02::1",
            "::ffff:169.254.1.1",
        ):
            self.assertFalse(self.accepts("IPv6", address), address)

    def test_names(self) -> None:
        """DNS names with a dot in them."""
        for address in ("a.b", "a.b."):
            self.assertTrue(self.accepts("FQDN", address))
        for address in ("a", "A.b", "a.b:80", "", "."):
            self.assertFalse(self.accepts("FQDN", address), address)

    def test_numbers(self) -> None:
        """An endpoint has at least one address; a slice is not endless."""
        item = EndpointSlice(
            metadata=NAMED, address_type="IPv4", endpoints=(SliceEndpoint(addresses=()),)
        )
        self.assertEqual(slice_fields(item), ["endpoints[0].addresses"])
        many = (SliceEndpoint(addresses=("10.0.0.1",)),) * 1001
        item = EndpointSlice(metadata=NAMED, address_type="IPv4", endpoints=many)
        self.assertEqual(slice_fields(item), ["endpoints"])

    def test_ports(self) -> None:
        """Ports may be open and nameless, but only one of them."""
        ports = (EndpointPort(), EndpointPort(), EndpointPort(name="A", port=0, protocol="x"))
        item = EndpointSlice(metadata=NAMED, address_type="IPv4", ports=ports)
        self.assertEqual(
            slice_fields(item),
            ["ports[1].name", "ports[2].name", "ports[2].port", "ports[2].protocol"],
        )


class EndpointsTests(SynchronousTestCase):
    """Endpoints objects."""

    ADDRESS = (EndpointAddress(ip="10.0.0.1"),)

    def test_addresses(self) -> None:
        """A subset has addresses of either kind and of either family, loopback included."""
        self.assertEqual(fields(EndpointSubset(addresses=self.ADDRESS)), [])
        self.assertEqual(
            fields(EndpointSubset(not_ready_addresses=(EndpointAddress(ip="::1"),))), []
        )
        self.assertEqual(fields(EndpointSubset()), ["subsets[0]"])
        bad = tuple(EndpointAddress(ip=ip) for ip in ("a", "169.254.0.1", "127.0.0.1"))
        self.assertEqual(
            fields(EndpointSubset(not_ready_addresses=bad)),
            ["subsets[0].notReadyAddresses[0].ip", "subsets[0].notReadyAddresses[1].ip"],
        )

    def test_ports(self) -> None:
        """Ports have numbers, and names where there are several."""
        ports = (EndpointPort(port=80), EndpointPort(name="b"), EndpointPort(name="c", port=70000))
        self.assertEqual(
            fields(EndpointSubset(addresses=self.ADDRESS, ports=ports)),
            ["subsets[0].ports[0].name", "subsets[0].ports[1].port", "subsets[0].ports[2].port"],
        )
