"""
Tests for `ingress.proxy_protocol`.
"""

from __future__ import annotations

import random
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import proxyprotocol
from proxyprotocol.v1 import ProxyProtocolV1
from proxyprotocol.v2 import ProxyProtocolV2
from twisted.protocols.haproxy import _exceptions, _v1parser, _v2parser
from twisted.trial.unittest import SynchronousTestCase

from ingress.proxy_protocol import (
    MAX_LENGTH,
    MAX_LINE,
    SIGNATURE,
    Addresses,
    Header,
    HeaderRefused,
    Version,
    addresses_of,
    make_header,
    read_header,
)

FOUR = Addresses(IPv4Address("203.0.113.7"), 51234, IPv4Address("192.0.2.1"), 443)
SIX = Addresses(IPv6Address("2001:db8::7"), 51234, IPv6Address("2001:db8::1"), 443)
V1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 51234 443\r\n"


def binary(command: int, family: int, content: bytes, length: int | None = None) -> bytes:
    """A header of version 2, with a length that may be a lie."""
    size = len(content) if length is None else length
    return SIGNATURE + struct.pack("!BBH", command, family, size) + content


TCP4 = IPv4Address("203.0.113.7").packed + IPv4Address("192.0.2.1").packed + b"\xc8\x22\x01\xbb"
V2 = binary(0x21, 0x11, TCP4)


class ReadTests(SynchronousTestCase):
    def read(self, data: bytes) -> Header:
        """Read a header whole, byte by byte, and with data behind it."""
        for end in range(len(data)):
            self.assertIsNone(read_header(data[:end]), data[:end])
        found = read_header(data)
        assert found is not None
        for more in (b"G", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", data, b"\r\n"):
            self.assertEqual(read_header(data + more), found)
        self.assertEqual(found.length, len(data))
        return found

    def refuse(self, data: bytes, reason: str) -> None:
        with self.assertRaises(HeaderRefused) as caught:
            read_header(data)
        self.assertIn(reason, str(caught.exception), data)

    def test_v1(self) -> None:
        """A line has the addresses and ports of both ends."""
        self.assertEqual(self.read(V1).addresses, FOUR)
        line = b"PROXY TCP6 2001:db8::7 2001:db8::1 51234 443\r\n"
        self.assertEqual(self.read(line).addresses, SIX)

    def test_v1_unknown(self) -> None:
        """A proxy that does not say for whom it speaks is believed to speak for itself."""
        for line in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN 1 2 3 4\r\n"):
            self.assertIsNone(self.read(line).addresses)

    def test_v1_bound(self) -> None:
        """A line has at most 107 bytes, and none that is longer is waited for."""
        longest = b"PROXY UNKNOWN " + b"x" * (MAX_LINE - 16) + b"\r\n"
        self.assertEqual(self.read(longest).length, MAX_LINE)
        self.refuse(b"PROXY UNKNOWN " + b"x" * (MAX_LINE - 15) + b"\r\n", "107 bytes")
        self.refuse(b"PROXY UNKNOWN " + b"x" * MAX_LINE, "107 bytes")

    def test_v1_ports(self) -> None:
        """Ports are numbers from 0 to 65535 without leading zeros."""
        zero = self.read(b"PROXY TCP4 203.0.113.7 192.0.2.1 0 0\r\n").addresses
        assert zero is not None
        self.assertEqual((zero.source_port, zero.destination_port), (0, 0))
        self.refuse(b"PROXY TCP4 203.0.113.7 192.0.2.1 65536 443\r\n", "port")
        for port in (b"00", b"01", b"-1", b"+1", b"1e1", b"", b"123456"):
            self.refuse(b"PROXY TCP4 203.0.113.7 192.0.2.1 %b 443\r\n" % port, "none of version 1")

    def test_v1_malformed(self) -> None:
        """A line is exactly what the specification says."""
        for line in (
            b"PROXY TCP4 203.0.113.7 192.0.2.1 51234 443 \r\n",
            b"PROXY TCP4  203.0.113.7 192.0.2.1 51234 443\r\n",
            b"PROXY tcp4 203.0.113.7 192.0.2.1 51234 443\r\n",
            b"PROXY TCP4 203.0.113.7 192.0.2.1 51234\r\n",
            b"PROXY TCP5 203.0.113.7 192.0.2.1 51234 443\r\n",
            b"PROXY UNIX /a /b 1 2\r\n",
            b"PROXY UNKNOWNX\r\n",
            b"PROXY \r\n",
        ):
            self.refuse(line, "none of version 1")
        for address in (b"2001:db8::7", b"203.0.113.07", b"203.0.113.256", b"203.0.113", b"1"):
            refused = b"PROXY TCP4 %b 192.0.2.1 1 2\r\n" % address
            with self.assertRaises(HeaderRefused):
                read_header(refused)
        self.refuse(b"PROXY TCP6 203.0.113.7 192.0.2.1 1 2\r\n", "TCP6")
        for line in (b"PROXY TCP4 1.1.1.1\n", b"PROXY TCP4 1.1.1.1\rX"):
            self.refuse(line, "CR LF")

    def test_no_header(self) -> None:
        """What begins otherwise is refused with the first byte that differs."""
        for data in (b"G", b"PUT", b"PROXY/", b"\x16\x03", b"\r\n\r\n\x01", b"\rX", b"proxy "):
            self.refuse(data, "does not begin")

    def test_v2(self) -> None:
        """A binary header has the addresses; TLVs behind them are skipped."""
        self.assertEqual(self.read(V2).addresses, FOUR)
        six = SIX.source.packed + SIX.destination.packed + b"\xc8\x22\x01\xbb"
        self.assertEqual(self.read(binary(0x21, 0x21, six)).addresses, SIX)
        tlvs = b"\x01\x00\x02h2\x04\x00\x01x"
        self.assertEqual(self.read(binary(0x21, 0x11, TCP4 + tlvs)).addresses, FOUR)

    def test_v2_without_addresses(self) -> None:
        """LOCAL, and families that say nothing about a TCP client, leave the connection's."""
        for header in (
            binary(0x20, 0x00, b""),
            binary(0x20, 0x11, TCP4),
            binary(0x20, 0xFF, b"anything"),
            binary(0x21, 0x00, b""),
            binary(0x21, 0x00, b"tlv"),
            binary(0x21, 0x12, TCP4),
            binary(0x21, 0x31, b"/client".ljust(216, b"\0")),
        ):
            self.assertIsNone(self.read(header).addresses)

    def test_v2_lies(self) -> None:
        """A length that is too short for the addresses, or too long for anybody, is refused."""
        self.refuse(binary(0x21, 0x11, b"", 11), "shorter than its addresses")
        self.refuse(binary(0x21, 0x21, TCP4), "shorter than its addresses")
        self.refuse(binary(0x21, 0x31, TCP4), "shorter than its addresses")
        self.read(binary(0x21, 0x11, TCP4.ljust(MAX_LENGTH - 16, b"\0")))
        self.refuse(binary(0x21, 0x11, b"", MAX_LENGTH - 15), "4096 bytes")
        self.refuse(binary(0x20, 0x00, b"", 65535), "4096 bytes")

    def test_v2_malformed(self) -> None:
        """Other versions, commands, families and transports are refused."""
        for command in (0x10, 0x11, 0x22, 0x31, 0x01, 0xFF):
            self.refuse(binary(command, 0x11, TCP4), "version or command")
        for family in (0x01, 0x10, 0x13, 0x41, 0xF1):
            self.refuse(binary(0x21, family, TCP4), "family or transport")


class MakeTests(SynchronousTestCase):
    def test_v1(self) -> None:
        """A line of version 1 is what nginx and HAProxy write."""
        self.assertEqual(make_header(Version.V1, FOUR), V1)
        self.assertEqual(
            make_header(Version.V1, SIX), b"PROXY TCP6 2001:db8::7 2001:db8::1 51234 443\r\n"
        )
        self.assertEqual(make_header(Version.V1, None), b"PROXY UNKNOWN\r\n")

    def test_v2(self) -> None:
        """A header of version 2 has no TLVs."""
        self.assertEqual(make_header(Version.V2, FOUR), V2)
        self.assertEqual(make_header(Version.V2, None), binary(0x20, 0, b""))

    def test_round_trip(self) -> None:
        """What is written is read as it was, in both versions."""
        for version in Version:
            for addresses in (FOUR, SIX, None):
                data = make_header(version, addresses)
                self.assertEqual(read_header(data), Header(addresses, len(data)))

    def test_longest(self) -> None:
        """No line of ours is longer than readers accept."""
        end = IPv6Address("ffff:" * 7 + "ffff")
        mapped = IPv6Address("::ffff:255.255.255.255")
        for address in (end, mapped):
            data = make_header(Version.V1, Addresses(address, 65535, address, 65535))
            self.assertLessEqual(len(data), MAX_LINE)
            self.assertIsNotNone(read_header(data))


class AddressesTests(SynchronousTestCase):
    def test_families(self) -> None:
        """Ends of two families are written in one."""
        mixed = addresses_of("203.0.113.7", 1, "2001:db8::1", 2)
        assert mixed is not None
        self.assertEqual(mixed.source, IPv6Address("::ffff:203.0.113.7"))
        mixed = addresses_of("2001:db8::1", 1, "203.0.113.7", 2)
        assert mixed is not None
        self.assertEqual(mixed.destination, IPv6Address("::ffff:203.0.113.7"))

    def test_zones(self) -> None:
        """A zone, which no reader accepts, is left out."""
        found = addresses_of("fe80::7%eth0", 1, "fe80::1%eth0", 2)
        self.assertEqual(make_header(Version.V1, found), b"PROXY TCP6 fe80::7 fe80::1 1 2\r\n")

    def test_none(self) -> None:
        """A client of a UNIX socket has no address."""
        self.assertIsNone(addresses_of("", 0, "192.0.2.1", 443))


class OtherReaderTests(SynchronousTestCase):
    """Two other implementations read the same: `proxy-protocol` of PyPI, and Twisted's."""

    def test_whole(self) -> None:
        """They find the addresses that we find, and accept what we write."""
        chance = random.Random(17)
        for _ in range(300):
            size = chance.choice((4, 16))
            source, destination = (ip_address(chance.randbytes(size)) for _ in range(2))
            addresses = Addresses(
                source, chance.randrange(65536), destination, chance.randrange(65536)
            )
            for version, other, twisted in (
                (Version.V1, ProxyProtocolV1(), _v1parser.V1Parser()),
                (Version.V2, ProxyProtocolV2(), _v2parser.V2Parser()),
            ):
                data = make_header(version, addresses)
                found = other.unpack(data)
                self.assertEqual(
                    (found.source, found.dest),
                    ((source, addresses.source_port), (destination, addresses.destination_port)),
                )
                info, rest = twisted.feed(data)
                assert info is not None
                found_source: Any = info.source
                self.assertEqual((ip_address(found_source.host), rest), (source, b""))
                self.assertEqual(found_source.port, addresses.source_port)

    def test_mutations(self) -> None:
        """What we accept they accept, with the same client, unless they know nothing of it."""
        chance = random.Random(18)
        accepted = 0
        for _ in range(4000):
            data = bytearray(make_header(chance.choice(list(Version)), chance.choice((FOUR, SIX))))
            for _ in range(chance.choice((1, 1, 2))):
                data[chance.randrange(len(data))] = chance.choice(
                    (chance.randrange(256), *b"0123456789. \r\n:")
                )
            try:
                found = read_header(bytes(data))
            except HeaderRefused:
                continue
            if found is None or found.addresses is None:
                continue
            accepted += 1
            whole = bytes(data[: found.length])
            other = ProxyProtocolV2() if whole.startswith(SIGNATURE) else ProxyProtocolV1()
            try:
                self.assertEqual(
                    other.unpack(whole).source,
                    (found.addresses.source, found.addresses.source_port),
                )
            except proxyprotocol.ProxyProtocolSyntaxError as error:
                raise AssertionError(whole) from error
        self.assertGreater(accepted, 500)

    def test_refused_by_twisted(self) -> None:
        """What is no header for us is none for Twisted, either."""
        for data in (b"GET / HTTP/1.1\r\n\r\n" + b" " * 120, binary(0x21, 0x13, TCP4)):
            with self.assertRaises(HeaderRefused):
                read_header(data)
            parser = _v1parser.V1Parser() if data[:1] == b"G" else _v2parser.V2Parser()
            with self.assertRaises(_exceptions.InvalidProxyHeader):
                parser.feed(data)
