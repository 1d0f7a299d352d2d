"""
Tests for `ingress.admin.shared_text`.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator

from twisted.python.failure import Failure

from ingress.admin.page import Content, Page, PageRequest
from ingress.admin.streaming import SLICE, STALL_TIMEOUT, WRITTEN_AT_ONCE
from tests.support.admin_stream import AdminStreamCase
from tests.support.turn_clock import TurnClock


class BrokenError(Exception):
    """What a page may raise."""


class StreamTests(AdminStreamCase):
    """An answer in pieces, through the whole of Twisted's server."""

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.made = 0
        self.is_closed = False
        self.pieces = [b"piece"] * 5
        self.cost = 0.0
        self.connect(self.clock, Page(self.page))

    async def page(self, request: PageRequest) -> Content:
        return Content(b"text/plain", self.produce())

    def produce(self) -> Iterator[bytes]:
        try:
            for piece in self.pieces:
                self.clock.rightNow += self.cost
                self.made += 1
                yield piece
        finally:
            self.is_closed = True

    def request(self, fields: str = "", *, version: str = "1.0") -> None:
        head = f"GET /page HTTP/{version}\r\nHost: localhost\r\n{fields}\r\n"
        self.protocol.dataReceived(head.encode())

    def turn(self, count: int = 1) -> None:
        self.clock.pump([0] * count)

    def assert_over(self) -> None:
        """Nothing is left that would be done later."""
        self.turn(20)
        self.assertTrue(self.is_closed)
        # The site's own clock ticks on.
        self.assertLessEqual(len(self.clock.getDelayedCalls()), 1)

    def test_whole(self) -> None:
        """All pieces are sent, in order, and then the connection ends."""
        self.pieces = [b"a", b"", b"b", b"c"]
        self.request()
        self.turn(3)
        self.assertEqual(self.body, b"abc")
        self.assertTrue(self.transport.disconnecting)

    def test_kept(self) -> None:
        """A client of HTTP/1.1 gets chunks, and may ask again."""
        for _ in range(2):
            self.transport.clear()
            self.request(version="1.1")
            self.turn(3)
            self.assertTrue(self.transport.value().endswith(b"\r\n0\r\n\r\n"))
            self.assertFalse(self.transport.disconnecting)

    def test_slices(self) -> None:
        """Others have their turn after some milliseconds of work."""
        self.cost = SLICE / 2
        self.pieces = [b"piece"] * 100
        self.request()
        self.turn()
        for turn in range(1, 10):
            self.turn()
            self.assertLessEqual(self.made, 2 * (turn + 1))
        self.turn(100)
        self.assertEqual(len(self.body), 500)

    def test_memory(self) -> None:
        """So they have after some kilobytes, however fast those are made."""
        self.pieces = [b"x" * 1024] * 1000
        self.request()
        self.turn(2)
        self.assertLessEqual(self.made, 2 * WRITTEN_AT_ONCE // 1024)
        self.turn(40)
        self.assertEqual(len(self.body), 1024 * 1000)

    def test_back_pressure(self) -> None:
        """Nothing is made for a client that does not read, and it goes on when it does."""
        self.pieces = [b"x" * WRITTEN_AT_ONCE] * 5
        self.request()
        self.turn()
        self.producer.pauseProducing()
        made = self.made
        self.turn(20)
        self.assertEqual(self.made, made)
        self.clock.advance(STALL_TIMEOUT - 1)
        self.producer.resumeProducing()
        self.turn(20)
        self.assertEqual(self.made, 5)
        self.assertEqual(len(self.body), 5 * WRITTEN_AT_ONCE)

    def test_stalled(self) -> None:
        """A client that reads nothing at all is cut off after a while."""
        self.pieces = [b"x" * WRITTEN_AT_ONCE] * 5
        self.request()
        self.turn()
        self.producer.pauseProducing()
        self.clock.advance(STALL_TIMEOUT)
        self.assertTrue(self.transport.disconnected)
        self.assert_over()

    def test_client_gone(self) -> None:
        """Nothing is made for a client that is gone."""
        self.pieces = [b"x" * WRITTEN_AT_ONCE] * 5
        self.request()
        self.turn()
        self.protocol.connectionLost(Failure(ConnectionResetError()))
        made = self.made
        self.assert_over()
        self.assertEqual(self.made, made)

    def test_broken(self) -> None:
        """If the rest cannot be made the connection breaks, and the log says why."""

        def produce() -> Iterator[bytes]:
            yield b"begin"
            raise BrokenError

        self.produce = produce  # type: ignore[method-assign]
        self.request(version="1.1")
        self.turn(3)
        self.assertEqual(len(self.flushLoggedErrors(BrokenError)), 1)
        self.assertTrue(self.transport.disconnected)
        self.assertNotIn(b"\r\n0\r\n\r\n", self.transport.value())

    def test_compressed(self) -> None:
        """Who takes gzip gets it."""
        self.pieces = [b"piece"] * 1000
        self.request("Accept-Encoding: deflate, gzip;q=0.5\r\n")
        self.turn(5)
        self.assertIn(b"\r\nContent-Encoding: gzip\r\n", self.transport.value())
        self.assertEqual(gzip.decompress(self.body), b"piece" * 1000)
