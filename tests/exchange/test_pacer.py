"""Tests of `ingress.exchange.pacer`: responses that are slowed down, with client and endpoint."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.exchange.pacer import TICK
from ingress.policy.response_pace import ResponsePace
from ingress.routing.route import Route
from tests.support.memory_socket import CAPACITY
from tests.support.wire import (
    CHUNKED_OK,
    GET,
    OK,
    SWITCHING,
    UPGRADE,
    UPSTREAM,
    Peer,
    Wire,
    request,
    response,
)

RATE = 1000
BODY = bytes(range(256)) * 40
"""Some ten seconds' worth."""


def paced(rate: int = RATE, after: int = 0, *, capacity: int = CAPACITY) -> Wire:
    route = Route(ingress=("default", "web"), upstream=UPSTREAM, pace=ResponsePace(rate, after))
    return Wire(route=route, capacity=capacity)


class PacerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.use(paced())

    def use(self, wire: Wire) -> None:
        self.wire = wire
        self.client = wire.connect()

    def ask(self, data: bytes, head: bytes = GET) -> Peer:
        """Send a request, and have its endpoint answer with `data`."""
        self.client.send(head)
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(data)
        return endpoint

    def ask_for_body(self, head: bytes = GET) -> Peer:
        return self.ask(response(200, b"Content-Length: %d" % len(BODY)) + BODY, head)

    def tick(self, count: int = 1) -> None:
        """Let so many ticks pass."""
        for _ in range(count):
            self.wire.network.advance(TICK)
            self.wire.network.settle()

    def timers(self) -> int:
        """How many responses wait for a tick; the sweep of all deadlines is not among them."""
        return len(self.wire.network.getDelayedCalls()) - 1

    def body(self) -> bytes:
        """What has come since, behind a head if there is one."""
        data = self.client.read()
        return data.partition(b"\r\n\r\n")[2] if data.startswith(b"HTTP/") else data

    def test_rate(self) -> None:
        """A second's worth passes at once, and then the rate; the whole body arrives."""
        self.ask_for_body()
        received = self.body()
        self.assertEqual(len(received), RATE)
        for second in range(2, 10):
            self.tick(4)
            received += self.body()
            self.assertEqual(len(received), second * RATE)
        self.tick(8)
        self.assertEqual(received + self.body(), BODY)

    def test_after(self) -> None:
        """The first bytes are free."""
        self.use(paced(after=3000))
        self.ask_for_body()
        self.assertEqual(len(self.body()), 3000 + RATE)

    def test_small(self) -> None:
        """A response below the rate is not touched, and leaves nothing to be waited for."""
        self.ask(OK)
        self.assertTrue(self.client.read().endswith(b"\r\n\r\nok"))
        self.assertEqual(self.timers(), 0)

    def test_next_request(self) -> None:
        """The end of a response comes with its last byte, and the connection serves on."""
        self.ask(response(200, b"Content-Length: 1500") + bytes(1500))
        self.assertEqual(len(self.body()), 1000)
        self.client.send(GET)
        self.assertEqual(self.wire.dials, [])
        self.tick(2)
        self.assertEqual(len(self.body()), 500)

    def test_chunked(self) -> None:
        """A response in chunks keeps its end."""
        self.ask(CHUNKED_OK + b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n")
        received = self.client.read()
        self.assertNotIn(b"\r\n0\r\n\r\n", received)
        self.tick(60)
        received += self.client.read()
        self.assertTrue(received.endswith(b"\r\n0\r\n\r\n"))
        self.assertTrue(self.client.is_open)

    def test_http_10(self) -> None:
        """A client of HTTP/1.0 gets a body without length up to the end of the connection."""
        endpoint = self.ask(response(200), request(b"GET", version=b"1.0"))
        endpoint.send(BODY)
        endpoint.close()
        received = self.body()
        self.assertFalse(self.client.saw_end)
        self.tick(60)
        self.assertEqual(received + self.client.read(), BODY)
        self.assertTrue(self.client.saw_end)

    def test_back_pressure(self) -> None:
        """The endpoint is not read while the client waits: little is kept."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(response(200, b"Content-Length: 10000000"))
        taken = endpoint.send_some(bytes(10_000_000))
        self.assertLess(taken, 4 * CAPACITY)
        self.assertEqual(endpoint.send_some(bytes(1000)), 0)

    def test_resumes(self) -> None:
        """The endpoint is read again when what was kept has passed."""
        self.use(paced(CAPACITY))
        endpoint = self.ask(response(200, b"Content-Length: 1000000"))
        sent = received = 0
        for _ in range(100):
            sent += endpoint.send_some(bytes(1_000_000 - sent))
            received += len(self.body())
            self.tick()
        received += len(self.body())
        self.assertEqual((sent, received), (1_000_000, 1_000_000))

    def test_slow_client(self) -> None:
        """A client that does not read stops the timer too, and later gets what it was allowed."""
        self.use(paced(50_000, capacity=4096))
        self.ask(response(200, b"Content-Length: 60000"))
        endpoint = self.ask_again()
        sent = endpoint.send_some(bytes(60_000))
        self.tick(40)
        received = b""
        while more := self.body():
            received += more
            sent += endpoint.send_some(bytes(60_000 - sent))
            self.tick()
        self.assertEqual((sent, len(received)), (60_000, 60_000))

    def ask_again(self) -> Peer:
        """Have the response broken off, and ask on another connection."""
        self.client.close()
        self.client = self.wire.connect()
        return self.ask(response(200, b"Content-Length: 60000"))

    def test_client_gone(self) -> None:
        """A client that goes away ends the response, its timer and its endpoint's connection."""
        endpoint = self.ask(response(200, b"Content-Length: 100000") + BODY)
        self.assertTrue(self.timers())
        self.client.reset()
        self.assertFalse(endpoint.is_open)
        self.assertEqual(self.timers(), 0)

    def test_broken_off(self) -> None:
        """A response that its endpoint breaks off is broken off here."""
        endpoint = self.ask(response(200, b"Content-Length: 100000") + BODY)
        self.client.read()
        self.tick(60)
        self.client.read()
        endpoint.close()
        self.tick()
        self.assertFalse(self.client.is_open)

    def test_head_only(self) -> None:
        """The answer to a HEAD is not touched."""
        self.ask(response(200, b"Content-Length: 100000"), request(b"HEAD"))
        self.assertIn(b"Content-Length: 100000", self.client.read())
        self.assertEqual(self.timers(), 0)

    def test_tunnel(self) -> None:
        """A WebSocket is not slowed down."""
        endpoint = self.ask(SWITCHING, UPGRADE)
        self.client.read()
        endpoint.send(BODY)
        self.assertEqual(self.client.read(), BODY)
