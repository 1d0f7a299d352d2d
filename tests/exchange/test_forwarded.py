"""Tests of `ingress.exchange.forwarded`."""

from __future__ import annotations

from ipaddress import ip_network
from time import process_time

from twisted.trial.unittest import SynchronousTestCase

from ingress.exchange.forwarded import (
    MAX_PROXIES,
    Said,
    has_x_forwarded,
    node_address,
    read_forwarded,
    read_x_forwarded,
)
from tests.support.upstream_head import make_request

NETWORKS = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))


def told(said: Said) -> tuple[str | None, bool | None, bytes | None, int | None]:
    address = None if said.address is None else str(said.address)
    return address, said.is_secure, said.host, said.port


class NodeAddressTests(SynchronousTestCase):
    def test_address(self) -> None:
        """An address is found with brackets, port and zone, or without them."""
        for node, expected in (
            (b"1.2.3.4", "1.2.3.4"),
            (b"1.2.3.4:5678", "1.2.3.4"),
            (b"1.2.3.4:_port", "1.2.3.4"),
            (b"2001:db9::1", "2001:db9::1"),
            (b"[2001:DB9::1]", "2001:db9::1"),
            (b"[2001:db9::1]:4711", "2001:db9::1"),
            (b"[fe80::1%eth0]:4711", "fe80::1"),
            (b"fe80::1%eth0", "fe80::1"),
            (b"::ffff:1.2.3.4", "1.2.3.4"),
            (b"[::ffff:1.2.3.4]:80", "1.2.3.4"),
        ):
            self.assertEqual(str(node_address(node)), expected, node)

    def test_none(self) -> None:
        """A value that is malformed is no address."""
        for node in (
            *(b"", b"unknown", b"_hidden", b"a.example", b"1.2.3", b"1.2.3.4:", b"1.2.3.4:x"),
            *(b"1.2.3.4:123456", b"[1.2.3.4", b"1.2.3.4]", b"[2001:db9::1", b"[]", b"[]:80"),
            *(
                b"[2001:db9::1]x",
                b"[2001:db9::1]:",
                b"1.2.3.4 5.6.7.8",
                b"01.2.3.4",
                b"1.2.3.4\xb2",
            ),
        ):
            self.assertIsNone(node_address(node), node)


class XForwardedTests(SynchronousTestCase):
    def read(self, *fields: bytes) -> Said:
        return read_x_forwarded(make_request(*fields), NETWORKS)

    def test_chain(self) -> None:
        """The client is the last address that is no trusted proxy's; entries before it are hearsay."""
        for chain, expected in (
            (b"1.2.3.4, 5.6.7.8", "5.6.7.8"),
            (b"1.2.3.4:5678", "1.2.3.4"),
            (b"6.6.6.6, 1.2.3.4:5678, 10.0.0.2:80", "1.2.3.4"),
            (b"[2001:db9::1]:4711", "2001:db9::1"),
            (b"6.6.6.6,[2001:db9::1]:4711 ,[2001:db8::7]:80", "2001:db9::1"),
            (b"1.2.3.4,, ,10.0.0.2,", "1.2.3.4"),
            (b" \t1.2.3.4\t ", "1.2.3.4"),
            (b"1.2.3.4, unknown", None),
            (b"1.2.3.4, unknown, 10.0.0.2", "10.0.0.2"),
            (b"unknown, 1.2.3.4", "1.2.3.4"),
            (b"10.0.0.4, 10.0.0.3", "10.0.0.4"),
            (b"", None),
            (b",", None),
        ):
            self.assertEqual(told(self.read(b"X-Forwarded-For: " + chain))[0], expected, chain)

    def test_several_fields(self) -> None:
        """Several fields are one list, in their order."""
        said = self.read(
            b"X-Forwarded-For: 6.6.6.6",
            b"X-Forwarded-For:",
            b"X-Forwarded-For: 1.2.3.4:80",
            b"X-Forwarded-For: 10.0.0.2",
        )
        self.assertEqual(told(said)[0], "1.2.3.4")

    def test_first_counts(self) -> None:
        """The first non-empty host, port and scheme counts."""
        said = self.read(
            b"X-Forwarded-Host: , A.example:80, b.example",
            b"X-Forwarded-Proto: ,https, http",
            b"X-Forwarded-Port:  , 444, 80",
        )
        self.assertEqual(told(said), (None, True, b"A.example:80", 444))

    def test_websocket(self) -> None:
        """The schemes of WebSockets say whether the client came over TLS."""
        for scheme, is_secure in ((b"ws", False), (b"WSS", True), (b"gopher", None), (b"", None)):
            self.assertIs(self.read(b"X-Forwarded-Proto: " + scheme).is_secure, is_secure)


class ForwardedTests(SynchronousTestCase):
    def check(self, value: bytes, *expected: object) -> None:
        address, is_secure, host, _ = told(read_forwarded(value, NETWORKS))
        self.assertEqual((address, is_secure, host), expected, value)

    def test_one_proxy(self) -> None:
        """Address, scheme and host are read in any order, quoted or not, with names in any case."""
        self.check(b"for=1.2.3.4", "1.2.3.4", None, None)
        self.check(b'For="1.2.3.4:5678";PROTO=HTTPS', "1.2.3.4", True, None)
        self.check(b'for="[2001:DB9::1]:4711"', "2001:db9::1", None, None)
        self.check(
            b'proto=http; host="a.example:80" ; by=10.0.0.1;for=1.2.3.4;secret=x;',
            *("1.2.3.4", False, b"a.example:80"),
        )
        self.check(b"proto=https", None, True, None)

    def test_chain(self) -> None:
        """The first trusted proxy describes the client; members before its own are hearsay."""
        self.check(
            b"for=6.6.6.6;proto=http;host=evil, for=1.2.3.4;proto=https;host=a, for=10.0.0.2",
            *("1.2.3.4", True, b"a"),
        )
        self.check(b"for=1.2.3.4;host=a,, for=10.0.0.2;host=b,", "1.2.3.4", None, b"a")
        self.check(b"for=1.2.3.4;proto=https, for=10.0.0.2;proto=http", "1.2.3.4", True, None)

    def test_unknown(self) -> None:
        """Members before a node without an address are not read."""
        self.check(b"for=1.2.3.4, for=unknown", None, None, None)
        self.check(b"for=1.2.3.4, for=_hidden;proto=https, for=10.0.0.2", "10.0.0.2", True, None)

    def test_malformed(self) -> None:
        """A malformed member is not believed, and neither are those before it."""
        for member in (
            *(
                b"1.2.3.4",
                b"for",
                b"for=",
                b"=1.2.3.4",
                b"for =1.2.3.4",
                b'for="1.2.3.4',
                b"for=a b",
            ),
            *(b"for=1.2.3.4;for=5.6.7.8", b'for="1.2\\.3.4"', b"host=a;x;for=1.2.3.4"),
        ):
            self.check(b"for=6.6.6.6, " + member, None, None, None)
            self.check(member + b", for=5.6.7.8", "5.6.7.8", None, None)

    def test_quotes_hide_nothing(self) -> None:
        """A client that opens a quoted string does not hide the members that proxies add."""
        self.check(b'for="6.6.6.6, for=1.2.3.4', "1.2.3.4", None, None)
        self.check(b'for="x, for=1.2.3.4;host="a"', "1.2.3.4", None, b"a")

    def test_bad_values(self) -> None:
        """A malformed host or scheme is not believed."""
        self.check(b'for=1.2.3.4;host="<x>";proto=gopher', "1.2.3.4", None, None)

    def test_long(self) -> None:
        """Only the last members are read, however many there are."""
        for begin in (b"for=1.2.3.4,", b'for="1.2.3.4",', b",", b'",'):
            value = begin * 4000 + b"for=10.0.0.2," * MAX_PROXIES
            before = process_time()
            self.check(value, "10.0.0.2", None, None)
            self.assertLess(process_time() - before, 0.1)


class HasXForwardedTests(SynchronousTestCase):
    def test_any(self) -> None:
        """Every field whose name begins with X-Forwarded- counts."""
        self.assertTrue(has_x_forwarded(make_request(b"x-forwarded-prefix: /")))
        self.assertFalse(has_x_forwarded(make_request(b"Forwarded: for=1.2.3.4", b"X: y")))
