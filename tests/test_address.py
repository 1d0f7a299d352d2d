"""
Tests for `ingress.address`.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.address import (
    is_link_local,
    is_loopback,
    is_unspecified_or_multicast,
    pack_address,
)

SPECIAL = """
0.0.0.0 0.0.0.1 10.0.0.1 127.0.0.1 127.255.0.9 128.0.0.1 169.253.1.1 169.254.1.1 223.1.1.1
224.0.0.1 239.255.255.255 240.0.0.1 :: ::1 ::2 fd00::1 fe7f::1 fe80::1 febf::1 fec0::1
ff02::1 ::ffff:127.0.0.1 ::ffff:169.254.1.1 ::ffff:0.0.0.0 ::ffff:224.0.0.1 ::ffff:10.0.0.1
::127.0.0.1
"""

addresses = st.one_of(st.sampled_from(SPECIAL.split()), st.ip_addresses().map(str))


class AddressTests(SynchronousTestCase):
    """The standard library tells the same, and takes its time."""

    @given(addresses)
    def test_same(self, text: str) -> None:
        """Each answer is the one of `ipaddress`."""
        packed = pack_address(text)
        assert packed is not None
        ip = ip_address(text)
        self.assertEqual(packed, ip.packed)
        ip = (ip.ipv4_mapped if isinstance(ip, IPv6Address) else None) or ip
        self.assertEqual(is_loopback(packed), ip.is_loopback, text)
        self.assertEqual(is_link_local(packed), ip.is_link_local, text)
        is_odd = ip.is_unspecified or ip.is_multicast
        self.assertEqual(is_unspecified_or_multicast(packed), is_odd, text)

    def test_none(self) -> None:
        """What is no address, or has a zone, is none."""
        for text in (
            "",
            "a.b",
            "10.0.0",
            "010.0.0.1",
            "10.0.0.256",
            "10.0.0.1:80",
            " 10.0.0.1",
            "fe80::1%eth0",
            "[::1]",
            "::1::",
            "1\0",
            "\u0661.0.0.1",
            "\ud800:",
        ):
            self.assertIsNone(pack_address(text), ascii(text))
