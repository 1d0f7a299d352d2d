"""Tests of kept connections that the reactor has not told about yet."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from tests.support.wire import GET, OK, Peer, Wire, post, request, response


class UntoldTests(SynchronousTestCase):
    """Input that has reached the socket, but not the protocol, when the next request comes."""

    def setUp(self) -> None:
        self.wire = Wire()
        self.client, self.transport = self.wire.join(
            self.wire.factory, IPv4Address("TCP", "192.0.2.1", 50000)
        )
        self.client.send(GET)
        self.endpoint = self.wire.accept()
        self.endpoint.read()
        self.endpoint.send(OK)
        self.client.read()

    def check_asked_anew(self, data: bytes) -> None:
        """The request in `data` goes to the endpoint over a new connection, and is answered."""
        self.client.send_untold(data)
        self.transport.doRead()  # The reactor tells of the client first.
        again: Peer = self.wire.accept()
        self.assertTrue(again.read().startswith(data[:4]))
        again.send(OK)
        self.assertEqual(self.client.receive().status, 200)

    def test_unasked_answer(self) -> None:
        """A response without a request does not become the response to the next one."""
        self.endpoint.send_untold(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")
        self.check_asked_anew(GET)

    def test_closed(self) -> None:
        """A connection that the endpoint has closed is no error, not even for a POST."""
        self.endpoint.close_untold()
        self.check_asked_anew(post(0))


class LateBodyTests(SynchronousTestCase):
    """An endpoint that sends a body where there must be none, however late it comes."""

    ATTACK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"

    def check(self, method: bytes, head: bytes, late: bytes) -> None:
        """The next request, of another client, gets its own response."""
        wire = Wire()
        client = wire.connect()
        client.send(request(method))
        endpoint = wire.accept()
        endpoint.send(head)
        self.assertEqual(client.receive().rest, b"")
        other = wire.connect(IPv4Address("TCP", "192.0.2.2", 50000))
        other.send(GET)
        endpoint.send_some(late)
        self.assertEqual(other.read(), b"")
        wire.accept().send(OK)
        self.assertEqual(other.receive().rest, b"ok")

    def test_late_body(self) -> None:
        """Neither the body nor a response in it reaches a client."""
        length = b"Content-Length: %d" % len(self.ATTACK)
        for late in (self.ATTACK, b"x" * len(self.ATTACK)):
            for method, status in ((b"HEAD", 200), (b"HEAD", 404), (b"GET", 204), (b"GET", 304)):
                self.check(method, response(status, length), late)
                self.check(method, response(status, b"Transfer-Encoding: chunked"), late)
            self.check(b"HEAD", response(200), late)
