"""
Tests for `ingress.admin.live_stream`.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ingress.admin.live_stream import INTERVAL, SILENCE
from ingress.admin.page import LiveContent, Page, PageRequest
from ingress.admin.streaming import STALL_TIMEOUT
from tests.support.admin_stream import AdminStreamCase


class LiveStreamTests(AdminStreamCase):
    """A page that goes on, through the whole of Twisted's server."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.made = 0
        self.waiting: Deferred[None] | None = None
        self.is_silent = False
        self.connect(self.clock, Page(self.page))

    async def page(self, request: PageRequest) -> LiveContent:
        return LiveContent(b"text/plain", self.next, b"still here\n")

    async def next(self) -> bytes:
        self.made += 1
        if self.waiting is not None:
            await self.waiting
        if self.made == 5:
            raise ZeroDivisionError
        return b"" if self.is_silent else b"piece %d\n" % self.made

    def request(self, method: str = "GET") -> None:
        self.protocol.dataReceived(f"{method} /page HTTP/1.0\r\n\r\n".encode())

    def test_goes_on(self) -> None:
        """There is a piece at once, and another one each second."""
        self.request()
        self.assertEqual(self.body, b"piece 1\n")
        self.clock.advance(INTERVAL)
        self.clock.advance(INTERVAL)
        self.assertEqual(self.body, b"piece 1\npiece 2\npiece 3\n")

    def test_silence(self) -> None:
        """A client is told now and then that there is nothing new."""
        self.is_silent = True
        self.request()
        self.made = 10
        self.clock.pump([INTERVAL] * (int(SILENCE / INTERVAL) - 1))
        self.assertEqual(self.body, b"")
        self.clock.advance(INTERVAL)
        self.assertEqual(self.body, b"still here\n")

    def test_client_gone(self) -> None:
        """Nothing is made for a client that is gone, not even what has been begun."""
        cancelled: list[object] = []
        self.waiting = Deferred(cancelled.append)
        self.request()
        self.protocol.connectionLost(Failure(ConnectionResetError()))
        self.assertEqual(cancelled, [self.waiting])
        self.clock.advance(10 * INTERVAL)
        self.assertEqual(self.made, 1)

    def test_back_pressure(self) -> None:
        """Nothing is made while the client does not read."""
        self.request()
        self.producer.pauseProducing()
        self.clock.advance(10 * INTERVAL)
        self.assertEqual(self.made, 1)
        self.producer.resumeProducing()
        self.clock.advance(0)
        self.assertEqual(self.made, 2)

    def test_stalled(self) -> None:
        """A client that reads nothing for long is cut."""
        self.request()
        self.producer.pauseProducing()
        self.clock.advance(STALL_TIMEOUT)
        self.assertTrue(self.transport.disconnected)
        self.clock.advance(10 * STALL_TIMEOUT)
        self.assertEqual(self.made, 1)

    def test_broken(self) -> None:
        """If it fails the log says how, and the client sees that there is an end."""
        self.request()
        self.clock.pump([INTERVAL] * 4)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(self.transport.disconnected)

    def test_head(self) -> None:
        """HEAD has no stream."""
        self.request("HEAD")
        self.assertEqual(self.body, b"")
        self.assertEqual(self.made, 0)
