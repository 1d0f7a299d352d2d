"""Tests of `ingress.http1.encoder`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.http1.encoder import ResponseEncoder

FIELDS = [(b"X-One", b"1"), (b"X-One", b"2")]


class ResponseEncoderTests(SynchronousTestCase):
    def head(self, body_length: int | None, *, is_http_10: bool, closes: bool) -> ResponseEncoder:
        encoder = ResponseEncoder()
        encoder.head(200, b"OK", FIELDS, body_length, is_http_10=is_http_10, closes=closes)
        return encoder

    def test_known_length(self) -> None:
        """A body of known length goes out as it is, after the fields in order and number."""
        encoder = self.head(5, is_http_10=False, closes=False)
        encoder.body(b"hello")
        self.assertEqual(encoder.end(), b"HTTP/1.1 200 OK\r\nX-One: 1\r\nX-One: 2\r\n\r\nhello")

    def test_unknown_length(self) -> None:
        """A body of unknown length goes out in chunks."""
        encoder = self.head(None, is_http_10=False, closes=False)
        self.assertTrue(encoder.take().endswith(b"\r\nTransfer-Encoding: chunked\r\n\r\n"))
        encoder.body(b"hello")
        self.assertEqual(encoder.take(), b"5\r\nhello\r\n")
        self.assertEqual(encoder.end(), b"0\r\n\r\n")

    def test_unknown_length_in_http_10(self) -> None:
        """HTTP/1.0 has no chunks: such a body ends with the connection."""
        encoder = self.head(None, is_http_10=True, closes=True)
        self.assertTrue(encoder.ends_with_connection)
        self.assertNotIn(b"Transfer-Encoding", encoder.take())
        encoder.body(b"hello")
        self.assertEqual(encoder.end(), b"hello")

    def test_connection(self) -> None:
        """A response says that the connection ends, and to HTTP/1.0 that it does not."""
        for is_http_10, closes, expected in (
            (False, False, b""),
            (False, True, b"Connection: close\r\n"),
            (True, False, b"Connection: keep-alive\r\n"),
            (True, True, b"Connection: close\r\n"),
        ):
            head = self.head(0, is_http_10=is_http_10, closes=closes).take()
            self.assertEqual(
                head, b"HTTP/1.1 200 OK\r\nX-One: 1\r\nX-One: 2\r\n" + expected + b"\r\n"
            )

    def test_interim(self) -> None:
        """An interim response has no fields of ours and changes nothing for the final one."""
        encoder = ResponseEncoder()
        encoder.interim(103, b"Early Hints", [(b"Link", b"</a>")])
        self.assertEqual(encoder.take(), b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        self.assertEqual(encoder.end(), b"")

    def test_one_after_the_other(self) -> None:
        """A response of known length may follow one in chunks."""
        encoder = self.head(None, is_http_10=False, closes=False)
        self.assertTrue(encoder.end().endswith(b"0\r\n\r\n"))
        encoder.head(204, b"No Content", [], 0, is_http_10=False, closes=False)
        self.assertEqual(encoder.end(), b"HTTP/1.1 204 No Content\r\n\r\n")
