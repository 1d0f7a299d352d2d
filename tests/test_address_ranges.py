"""Tests of `ingress.address_ranges`."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.address_ranges import AddressRanges, Range, parse_range

v4 = st.integers(0, (1 << 32) - 1).map(lambda number: str(IPv4Address(number)))
v6 = st.integers(0, (1 << 128) - 1).map(lambda number: str(IPv6Address(number)))
networks = st.one_of(
    st.builds("{}/{}".format, v4, st.integers(0, 32)),
    st.builds("{}/{}".format, v6, st.integers(0, 128)),
    v4,
    v6,
)


class ParseRangeTests(SynchronousTestCase):
    @given(networks)
    def test_as_the_library(self, text: str) -> None:
        """A range is what Python's own, slower module takes it for."""
        network = ip_network(text, strict=False)
        found = parse_range(text)
        if network.version == found.version:
            first, last = int(network.network_address), int(network.broadcast_address)
            self.assertEqual(found, Range(network.version, first, last))
        else:
            mapped = IPv6Address(int(network.network_address)).ipv4_mapped
            assert mapped is not None
            self.assertEqual(found.first, int(mapped))

    def test_mapped(self) -> None:
        """IPv4 addresses that are mapped into IPv6 are IPv4 addresses."""
        self.assertEqual(parse_range("::ffff:10.0.0.0/104"), parse_range("10.0.0.0/8"))
        self.assertEqual(parse_range("::ffff:10.0.0.1"), parse_range("10.0.0.1"))


class AddressRangesTests(SynchronousTestCase):
    @given(st.lists(networks, max_size=8), st.one_of(v4, v6))
    def test_has(self, texts: list[str], address: str) -> None:
        """An address is in the set if it is in one of the ranges, whatever their order."""
        ranges = list(map(parse_range, texts))
        for order in (ranges, ranges[::-1]):
            found = AddressRanges.of(order)
            one = parse_range(address)
            expected = any(
                each.version == one.version and each.first <= one.first <= each.last
                for each in ranges
            )
            self.assertEqual(found.has(str(ip_address(address)).encode()), expected)

    def test_merged(self) -> None:
        """Ranges that overlap or touch are one, so that equal sets are equal."""
        halves = AddressRanges.of(map(parse_range, ["0.0.0.0/1", "128.0.0.0/1", "::/0", "::1"]))
        whole = AddressRanges.of(map(parse_range, ["::/0", "0.0.0.0/0"]))
        self.assertEqual(halves, whole)
        self.assertTrue(whole.has_all)
        self.assertFalse(AddressRanges.of([parse_range("0.0.0.0/0")]).has_all)
        self.assertFalse(AddressRanges())
