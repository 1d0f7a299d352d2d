"""Tests of WebSocket tunnels, from the client through the exchange to the endpoint."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.field_edits import FieldEdits, ResponseEdits
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.routing.route import Route
from tests.support.memory_socket import CAPACITY
from tests.support.wire import (
    ENDPOINT,
    LIMITS,
    OK,
    SWITCHING,
    UPGRADE,
    UPSTREAM,
    Message,
    Peer,
    Wire,
    request,
    snapshot_of,
)

MUCH = b"x" * (8 * CAPACITY)


class TunnelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()
        self.client = self.wire.connect()

    def open(self) -> Peer:
        """Return the other end of an open tunnel; the client has read the answer."""
        self.client.send(UPGRADE)
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(SWITCHING)
        self.assertTrue(self.client.read().startswith(b"HTTP/1.1 101 Switching Protocols\r\n"))
        return endpoint

    def test_request(self) -> None:
        """The endpoint is asked for the tunnel that the client asks for."""
        self.client.send(UPGRADE)
        message = self.wire.accept().receive()
        self.assertEqual(message.values(b"Upgrade"), [b"websocket"])
        self.assertEqual(message.values(b"Connection"), [b"Upgrade"])
        self.assertEqual(message.values(b"Sec-WebSocket-Version"), [b"13"])

    def test_answer(self) -> None:
        """The client sees the endpoint's agreement, with fields of this hop."""
        self.client.send(UPGRADE)
        endpoint = self.wire.accept()
        endpoint.send(SWITCHING)
        message = Message.parse(self.client.read())
        self.assertEqual(message.values(b"Upgrade"), [b"websocket"])
        self.assertEqual(message.values(b"Connection"), [b"Upgrade"])
        self.assertEqual(message.values(b"Sec-WebSocket-Accept"), [b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="])

    def test_edits(self) -> None:
        """The agreement has the fields of all responses of the rule, and that of a session."""
        edits = ResponseEdits(FieldEdits(replace=((b"X-Rule", b"1"),)))
        route = Route(("default", "web"), UPSTREAM, response_edits=edits, affinity=CookieAffinity())
        self.wire.plane.publish(snapshot_of(ENDPOINT, route=route))
        self.client.send(UPGRADE)
        self.wire.accept().send(SWITCHING)
        message = Message.parse(self.client.read())
        self.assertEqual(message.values(b"X-Rule"), [b"1"])
        self.assertEqual(message.values(b"Upgrade"), [b"websocket"])
        self.assertEqual(len(message.values(b"Set-Cookie")), 1)

    def test_both_ways(self) -> None:
        """Bytes go through in both directions as they are."""
        endpoint = self.open()
        self.client.send(b"\x81\x05hello\r\n\r\n")
        self.assertEqual(endpoint.read(), b"\x81\x05hello\r\n\r\n")
        endpoint.send(b"\x81\x05world")
        self.assertEqual(self.client.read(), b"\x81\x05world")

    def test_together_with_the_heads(self) -> None:
        """Bytes that either side sends right after its head go through as well."""
        self.client.send(UPGRADE + b"early")
        endpoint = self.wire.accept()
        self.assertFalse(endpoint.read().endswith(b"early"))
        endpoint.send(SWITCHING + b"at once")
        self.assertTrue(self.client.read().endswith(b"\r\n\r\nat once"))
        self.assertEqual(endpoint.read(), b"early")

    def test_much_before_the_answer(self) -> None:
        """A client that sends more than is kept before the endpoint agrees is read on then."""
        self.client.send(UPGRADE)
        endpoint = self.wire.accept()
        endpoint.read()
        early = self.client.send_some(MUCH)
        self.assertLess(early, len(MUCH))
        endpoint.send(SWITCHING)
        self.client.read()
        received = endpoint.read()
        self.client.send(b"late")
        received += endpoint.read()
        self.assertEqual(received, MUCH[:early] + b"late")

    def test_refused(self) -> None:
        """An endpoint that wants no tunnel answers an ordinary request."""
        self.client.send(UPGRADE)
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(OK)
        self.assertEqual(self.client.receive().status, 200)
        self.client.send(request(b"GET"))
        self.assertTrue(endpoint.read().startswith(b"GET "))

    def test_not_asked_for(self) -> None:
        """An endpoint that switches unasked is broken."""
        self.client.send(request(b"GET"))
        endpoint = self.wire.accept()
        endpoint.send(SWITCHING)
        self.assertEqual(self.client.receive().status, 502)
        self.assertTrue(endpoint.saw_reset)

    def test_another_protocol(self) -> None:
        """An endpoint that switches to something else than was asked for is broken."""
        self.client.send(UPGRADE)
        endpoint = self.wire.accept()
        endpoint.send(SWITCHING.replace(b"websocket", b"h2c"))
        self.assertEqual(self.client.receive().status, 502)

    def test_only_websockets(self) -> None:
        """Other protocols, and requests with a body, do not ask for a tunnel."""
        for fields in (
            (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: x"),
            (b"Connection: Upgrade", b"Upgrade: websocket, h2c"),
            (b"Upgrade: websocket",),
            (b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 0", b"X: y"),
        ):
            method = b"POST" if b"X: y" in fields else b"GET"
            wire = Wire()
            wire.connect().send(request(method, *fields))
            message = wire.accept().receive()
            self.assertEqual(message.values(b"Upgrade"), [], fields)
            self.assertEqual(message.values(b"Connection"), [], fields)

    def test_client_ends(self) -> None:
        """A client that sends no more still gets the endpoint's bytes."""
        endpoint = self.open()
        self.client.send(b"bye")
        self.client.end()
        self.assertEqual(endpoint.read(), b"bye")
        self.assertTrue(endpoint.saw_end)
        endpoint.send(b"bye, too")
        endpoint.end()
        self.assertEqual(self.client.read(), b"bye, too")
        self.assertTrue(self.client.saw_end)
        self.assertEqual(len(self.wire.plane.clients.connections), 0)
        self.assertEqual(repr(self.wire.deadlines), "<Deadlines of 0>")

    def test_endpoint_ends(self) -> None:
        """An endpoint that sends no more still gets the client's bytes."""
        endpoint = self.open()
        endpoint.send(b"bye")
        endpoint.end()
        self.assertEqual(self.client.read(), b"bye")
        self.assertTrue(self.client.saw_end)
        self.client.send(b"bye, too")
        self.assertEqual(endpoint.read(), b"bye, too")
        self.client.end()
        self.assertEqual(len(self.wire.plane.clients.connections), 0)
        self.assertEqual(repr(self.wire.deadlines), "<Deadlines of 0>")

    def test_client_resets(self) -> None:
        """A client that is gone ends the endpoint's side."""
        endpoint = self.open()
        self.client.reset()
        self.assertTrue(endpoint.saw_reset)
        self.assertEqual(len(self.wire.plane.clients.connections), 0)

    def test_endpoint_resets(self) -> None:
        """An endpoint that is gone ends the client's side."""
        endpoint = self.open()
        endpoint.reset()
        self.assertFalse(self.client.is_open)
        self.assertEqual(len(self.wire.plane.clients.connections), 0)

    def test_slow_client(self) -> None:
        """A client that does not read stops the endpoint, and gets all when it does."""
        endpoint = self.open()
        sent = endpoint.send_some(MUCH)
        self.assertLess(sent, len(MUCH))
        self.assertEqual(self.client.read(), MUCH[:sent])

    def test_slow_endpoint(self) -> None:
        """An endpoint that does not read stops the client, and gets all when it does."""
        endpoint = self.open()
        sent = self.client.send_some(MUCH)
        self.assertLess(sent, len(MUCH))
        self.assertEqual(endpoint.read(), MUCH[:sent])

    def test_idle(self) -> None:
        """An idle tunnel ends after the time that an endpoint has to answer."""
        endpoint = self.open()
        for side, other in ((self.client, endpoint), (endpoint, self.client)):
            self.wire.advance(LIMITS.read_timeout - 2)
            side.send(b"alive")
            self.assertEqual(other.read(), b"alive")
        self.wire.advance(LIMITS.read_timeout + 2)
        self.assertFalse(self.client.is_open)
        self.assertFalse(endpoint.is_open)
        self.assertEqual(len(self.wire.plane.clients.connections), 0)


class TrailerTests(SynchronousTestCase):
    ANSWER = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
        b"X-Checksum: 1\r\nSet-Cookie: a=b\r\nContent-Type: c\r\n"
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    )

    def answer(self, *fields: bytes) -> bytes:
        wire = Wire()
        client = wire.connect()
        client.send(request(b"GET", *fields))
        wire.accept().send(self.ANSWER)
        return client.read()

    def test_taken(self) -> None:
        """A client that takes trailers gets those that may follow a body."""
        self.assertTrue(self.answer(b"TE: trailers").endswith(b"0\r\nX-Checksum: 1\r\n\r\n"))

    def test_not_taken(self) -> None:
        """A client that does not take trailers gets none."""
        self.assertTrue(self.answer().endswith(b"hello\r\n0\r\n\r\n"))
