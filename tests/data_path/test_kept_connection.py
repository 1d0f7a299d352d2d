"""Tests of kept connections that the reactor has not told about yet."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from tests.support.wire import GET, OK, Peer, Wire, post


class UntoldTests(SynchronousTestCase):
    """What has reached the socket, and not yet the protocol, when the next request comes."""

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
        """An answer to nothing does not become the answer to the next request."""
        self.endpoint.send_untold(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")
        self.check_asked_anew(GET)

    def test_closed(self) -> None:
        """A connection that the endpoint has closed is no error, not even for a POST."""
        self.endpoint.close_untold()
        self.check_asked_anew(post(0))
