"""Tests of `ingress.http2.counts`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.http2.counts import HTTP2Counts, code_name
from ingress.http2.fault import CANCEL, HTTP_1_1_REQUIRED, NO_ERROR
from tests.support.http2_client import Client


class HTTP2CountsTests(SynchronousTestCase):
    def test_names(self) -> None:
        """Codes have the names of RFC 9113; peers cannot make up others."""
        self.assertEqual(code_name(NO_ERROR), "NO_ERROR")
        self.assertEqual(code_name(HTTP_1_1_REQUIRED), "HTTP_1_1_REQUIRED")
        for code in (14, 1 << 31, -1):
            self.assertEqual(code_name(code), "other")

    def test_resets(self) -> None:
        """Resets are counted by who sent them."""
        client = Client(body=None).handshake()
        client.send(client.head(1), client.head(3), client.rst(1, CANCEL))
        client.send(client.rst(3, 0x1234))
        client.send(client.head(5))
        client.site.received[-1].stream.reset(CANCEL)
        self.assertEqual(client.counts.resets_received, {"CANCEL": 1, "other": 1})
        self.assertEqual(client.counts.resets_sent, {"CANCEL": 1})

    def test_refused(self) -> None:
        """A stream too many is a refusal."""
        client = Client(body=None, max_streams=1).handshake()
        client.send(client.head(1), client.head(3))
        self.assertEqual(client.counts.refused, 1)
        self.assertEqual(client.counts.resets_sent, {"REFUSED_STREAM": 1})

    def test_goaways(self) -> None:
        """An end in two steps counts once, and one for a fault by its code."""
        client = Client().handshake()
        client.connection.leave()
        client.connection.finish_leaving()
        client.connection.close()
        self.assertEqual(client.counts.goaways_sent, {"NO_ERROR": 1})
        broken = Client().handshake()
        broken.send(broken.data(1, b"x"))
        self.assertEqual(broken.counts.goaways_sent, {"PROTOCOL_ERROR": 1})

    def test_open(self) -> None:
        """Streams of all open connections are added up."""
        counts = HTTP2Counts()

        class Open:
            stream_count = 3

        one, other = Open(), Open()
        counts.opened(one)
        counts.opened(other)
        self.assertEqual(counts.stream_count, 6)
        counts.closed(one)
        counts.closed(one)
        self.assertEqual((counts.stream_count, len(counts.connections)), (3, 1))
