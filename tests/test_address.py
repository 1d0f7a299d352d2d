"""
Tests for `ingress.address`.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.address import (
    is_link_local,
    is_loopback,
    is_metadata,
    is_unspecified_or_multicast,
    pack_address,
    pack_plain_address,
    strip_leading_zeros,
)

SPECIAL = """
0.0.0.0 0.0.0.1 10.0.0.1 127.0.0.1 127.255.0.9 128.0.0.1 169.253.1.1 169.254.1.1 223.1.1.1
224.0.0.1 239.255.255.255 240.0.0.1 :: ::1 ::2 fd00::1 fe7f::1 fe80::1 febf::1 fec0::1
ff02::1 ::ffff:127.0.0.1 ::ffff:169.254.1.1 ::ffff:0.0.0.0 ::ffff:224.0.0.1 ::ffff:10.0.0.1
::127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b:1::169.254.169.254 64:ff9b::8.8.8.8
"""

EMBEDDING = tuple(map(ip_network, ("::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/96")))
"""Networks whose addresses stand for IPv4 addresses."""

addresses = st.one_of(st.sampled_from(SPECIAL.split()), st.ip_addresses().map(str))


class AddressTests(SynchronousTestCase):
    """The standard library tells the same, and takes its time."""

    def test_plain(self) -> None:
        """Zones, leading zeros and mapping into IPv6 make no other address."""
        for text in ("10.0.0.1", "010.0.00.001", "::ffff:10.0.0.1", "::ffff:a00:1%eth0"):
            self.assertEqual(pack_plain_address(text), b"\x0a\0\0\1", text)
        self.assertEqual(pack_plain_address("fe80::1%eth0"), pack_address("fe80::1"))
        for text in ("", "%eth0", "a.example", "10.0.0.1.1"):
            self.assertIsNone(pack_plain_address(text), text)

    @given(addresses)
    def test_same(self, text: str) -> None:
        """Each answer is the one of `ipaddress`."""
        packed = pack_address(text)
        assert packed is not None
        ip = ip_address(text)
        self.assertEqual(packed, ip.packed)
        if isinstance(ip, IPv6Address) and any(ip in network for network in EMBEDDING):
            ip = ip_address(ip.packed[12:])
        self.assertEqual(is_loopback(packed), ip.is_loopback, text)
        self.assertEqual(is_link_local(packed), ip.is_link_local, text)
        is_odd = ip.is_unspecified or ip.is_multicast
        self.assertEqual(is_unspecified_or_multicast(packed), is_odd, text)

    def test_metadata(self) -> None:
        """Clouds have addresses of credentials that are not link-local."""
        for text in (
            *("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "::ffff:100.100.100.200"),
            *("64:ff9b::a83f:8110", "fd20:ce::254", "fd00:42::42", "192.0.0.192"),
        ):
            packed = pack_address(text)
            assert packed is not None
            self.assertTrue(is_metadata(packed), text)
        for text in ("fd00:ec2::253", "100.100.100.100", "168.63.129.17", "10.0.0.1"):
            packed = pack_address(text)
            assert packed is not None
            self.assertFalse(is_metadata(packed), text)

    def test_leading_zeros(self) -> None:
        """Leading zeros are read as Kubernetes does, and nothing else is."""
        for text, expected in (
            ("010.0.0.01", "10.0.0.1"),
            ("10.0.0.1", "10.0.0.1"),
            ("0001.0.0.1", "0001.0.0.1"),
            ("10.0.1", "10.0.1"),
            ("0x10.0.0.1", "0x10.0.0.1"),
            ("\N{ARABIC-INDIC DIGIT ONE}.0.0.1", "\N{ARABIC-INDIC DIGIT ONE}.0.0.1"),
            ("::1", "::1"),
        ):
            self.assertEqual(strip_leading_zeros(text), expected)

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
