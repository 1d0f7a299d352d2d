"""
Tests for `ingress.upstream.single_use`: connections that begin with the header of one client.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.backend_version import BackendVersion
from ingress.proxy_protocol import Addresses, read_header
from ingress.routing.route import Route
from tests.support.h2_endpoint import H2Endpoint
from tests.support.http2_wire import GET, HTTP2Client
from tests.support.wire import ENDPOINT, UPSTREAM, Wire

HEADED = ENDPOINT._replace(proxy_protocol="v2")
REQUEST = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def client_of(wire: Wire) -> tuple[str, int] | None:
    """:return: the client of the header that the endpoint of the next dial gets first."""
    preface = wire.dials[0].preface
    header = read_header(preface)
    assert header is not None
    assert header.length == len(preface)
    addresses: Addresses | None = header.addresses
    return None if addresses is None else (str(addresses.source), addresses.source_port)


class HTTP1Tests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire(HEADED)

    def test_each_request(self) -> None:
        """A request has a connection of its own, which is closed after its response."""
        client = self.wire.connect(IPv4Address("TCP", "203.0.113.7", 50001))
        for _ in range(2):
            client.send(REQUEST)
            self.assertEqual(client_of(self.wire), ("203.0.113.7", 50001))
            endpoint = self.wire.accept()
            endpoint.read()
            endpoint.send(ANSWER)
            self.assertTrue(client.read().startswith(b"HTTP/1.1 200"))
            self.assertTrue(endpoint.saw_end)

    def test_beside(self) -> None:
        """The same address without a header is another endpoint."""
        registry = self.wire.registry
        self.assertIsNot(registry.pool(HEADED), registry.pool(ENDPOINT))
        self.assertEqual(str(HEADED), str(ENDPOINT))

    def test_no_address(self) -> None:
        """A client of a UNIX socket has no address: the proxy speaks for itself."""
        client = self.wire.connect(UNIXAddress(b"/client"))
        client.send(REQUEST)
        self.assertIsNone(client_of(self.wire))


class HTTP2Tests(SynchronousTestCase):
    def test_each_request(self) -> None:
        """Two requests of one client have two connections, which end when they are unused."""
        route = Route(ingress=("default", "web"), upstream=UPSTREAM, version=BackendVersion(True))
        wire = Wire(HEADED, route=route)
        client = HTTP2Client(wire)
        for _ in range(2):
            client.h2.send_headers(client.next_stream(), GET, end_stream=True)
        client.settle()
        self.assertEqual(len(wire.dials), 2)
        self.assertIsNotNone(client_of(wire))
        endpoints = [H2Endpoint(wire.accept(), 100) for _ in range(2)]
        for endpoint in endpoints:
            (asked,) = endpoint.look()
            endpoint.answer(asked, 204)
        client.settle()
        self.assertEqual([answer.status for answer in client.answers.values()], [204, 204])
        client.h2.send_headers(client.next_stream(), GET, end_stream=True)
        client.settle()
        self.assertEqual(len(wire.dials), 1)
        wire.advance(2)
        for endpoint in endpoints:
            self.assertTrue(endpoint.peer.saw_end)
