"""Tests of `ingress.http2.huffman`."""

from __future__ import annotations

import hpack.huffman
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.http2.fault import CompressionFault
from ingress.http2.huffman import huffman_decode, huffman_encode

REFERENCE = hpack.huffman.HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


class HuffmanTests(SynchronousTestCase):
    def test_every_byte(self) -> None:
        """Each byte has the code of the reference."""
        for octet in range(256):
            data = bytes((octet,)) * 3
            self.assertEqual(huffman_encode(data), REFERENCE.encode(data))
            self.assertEqual(huffman_decode(huffman_encode(data)), data)

    @given(st.binary(max_size=200))
    def test_anything(self, data: bytes) -> None:
        """Any string has the reference's code, and comes back."""
        encoded = huffman_encode(data)
        self.assertEqual(encoded, REFERENCE.encode(data))
        self.assertEqual(huffman_decode(encoded), data)

    @given(st.binary(max_size=12))
    def test_any_code(self, code: bytes) -> None:
        """What is decoded at all is the one string that has this code."""
        try:
            data = huffman_decode(code)
        except CompressionFault:
            return
        self.assertEqual(huffman_encode(data), code)

    def test_padding(self) -> None:
        """Padding is the beginning of EOS, and shorter than a byte (RFC 7541 section 5.2)."""
        for code in (
            b"\xff",  # Eight ones.
            b"\x1f\xff",
            b"\x1e",  # `a`, and a padding with a zero.
            b"\xff\xff\xff\xff",  # EOS.
            b"\xff\xff\xff\xfc",
        ):
            with self.assertRaises(CompressionFault):
                huffman_decode(code)
        self.assertEqual(huffman_decode(b"\x1f"), b"a")
