"""Tests of `ingress.http2.field_check`."""

from __future__ import annotations

import hpack
from twisted.trial.unittest import SynchronousTestCase

from ingress.errors import RequestError, ResponseError
from ingress.http2.field_check import MAX_KEPT_BLOCK, MAX_KEPT_TRAILERS, BlockReader
from ingress.http2.hpack_encoder import encode_fields

ENDED = [(b"grpc-status", b"0")]


class TrailersTests(SynchronousTestCase):
    """What a `BlockReader` makes of trailers; those of gRPC are nearly always the same bytes."""

    def setUp(self) -> None:
        self.reader = BlockReader()

    def read(self, block: bytes) -> list[tuple[bytes, bytes]]:
        return self.reader.read_trailers(block, ResponseError)

    def test_kept(self) -> None:
        """A block that has come before is not decoded again."""
        block = encode_fields(ENDED)
        self.assertEqual(self.read(block), ENDED)
        self.assertIs(self.read(block), self.read(block))

    def test_equal_bytes_after_a_change_of_the_table(self) -> None:
        """The same bytes mean something else once the dynamic table has changed."""
        encoder = hpack.Encoder()
        encoder.encode(ENDED)
        self.reader.skip(encoder.encode([(b"x-other", b"1")]))
        newest = b"\xbe"
        self.assertEqual(self.read(newest), [(b"x-other", b"1")])
        self.assertEqual(self.read(newest), [(b"x-other", b"1")])
        self.reader.skip(encoder.encode([(b"x-third", b"3")]))
        self.assertEqual(self.read(newest), [(b"x-third", b"3")])

    def test_block_that_changes_the_table(self) -> None:
        """A block that adds to the table does so each time that it comes."""
        block = b"\x40" + encode_fields(ENDED)[1:]
        for count in (1, 2, 3):
            self.assertEqual(self.read(block), ENDED)
            self.assertEqual(self.reader.decoder.version, count)

    def test_refused_each_time(self) -> None:
        """Trailers that may not be are not kept."""
        for error in (RequestError, ResponseError):
            reader = BlockReader()
            for _ in range(2):
                with self.assertRaises(error):
                    reader.read_trailers(encode_fields([(b"connection", b"close")]), error)

    def test_framing(self) -> None:
        """What frames messages is left out of an endpoint's trailers, each time."""
        block = encode_fields([*ENDED, (b"content-length", b"5")])
        for _ in range(2):
            self.assertEqual(self.read(block), ENDED)

    def test_bounds(self) -> None:
        """Few blocks are kept, and no long ones."""
        for number in range(3 * MAX_KEPT_TRAILERS):
            fields = [(b"x-number", b"%d" % number)]
            self.assertEqual(self.read(encode_fields(fields)), fields)
        self.assertLessEqual(len(self.reader._trailers), MAX_KEPT_TRAILERS)
        long = encode_fields([(b"x-long", b"\xff" * MAX_KEPT_BLOCK)])
        self.assertIsNot(self.read(long), self.read(long))
