"""
Tests for `ingress.relay.proxy_header`.
"""

from __future__ import annotations

from functools import partial

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.trial.unittest import SynchronousTestCase

from ingress.downstream.opening import ClientAddress
from ingress.proxy_protocol import Addresses, Version, addresses_of, read_header
from ingress.relay.proxy_header import proxy_header
from tests.support.relays import RelayWire
from tests.support.wire import ENDPOINT

SAID = addresses_of("203.0.113.7", 1, "2001:db8::1", 443)


class HeaderTests(SynchronousTestCase):
    def received(
        self, origin: IAddress | None, wanted: Version | None = None, version: str = ""
    ) -> bytes:
        """What an endpoint gets when a client has sent a letter."""
        wire = RelayWire(ENDPOINT._replace(proxy_protocol=version))
        client, relay = wire.relay()
        relay.preface = partial(proxy_header, origin, wanted)
        client.send(b"x")
        endpoint = wire.accept()
        return endpoint.read()

    def test_none(self) -> None:
        """Without a wish of the port or the Service nothing comes before the client's bytes."""
        self.assertEqual(self.received(IPv4Address("TCP", "192.0.2.7", 50001)), b"x")

    def test_said(self) -> None:
        """What a header has said of the client is passed on, both ends."""
        assert SAID is not None
        data = self.received(ClientAddress(SAID, is_secure=True), version="v2")
        header = read_header(data)
        assert header is not None
        self.assertEqual(header.addresses, SAID)
        self.assertEqual(data[header.length :], b"x")

    def test_versions(self) -> None:
        """The Service's version goes before that of the port."""
        assert SAID is not None
        origin = ClientAddress(SAID, is_secure=True)
        self.assertTrue(self.received(origin, Version.V1).startswith(b"PROXY TCP6 ::ffff:"))
        self.assertFalse(self.received(origin, Version.V1, "v2").startswith(b"PROXY"))

    def test_no_address(self) -> None:
        """A client of a UNIX socket has none."""
        data = self.received(UNIXAddress(b"/client"), Version.V1)
        self.assertEqual(data, b"PROXY UNKNOWN\r\nx")

    def test_mapped(self) -> None:
        """Ends of two families are of one in the header."""
        assert isinstance(SAID, Addresses)
        self.assertEqual((SAID.source.version, SAID.destination.version), (6, 6))
