"""Tests of `ingress.http2.hpack_encoder`."""

from __future__ import annotations

import hpack
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.encoded_fields import EncodedFields
from ingress.http2.hpack_decoder import HPACKDecoder
from ingress.http2.hpack_encoder import (
    NO_TABLE,
    encode_fields,
    encode_integer,
    encode_name,
    encode_plain_string,
    encode_status,
)

NAME = st.binary(max_size=30).map(bytes.lower) | st.sampled_from([b"set-cookie", b"date"])
FIELDS = st.lists(st.tuples(NAME, st.binary(max_size=300)), max_size=12)


class EncoderTests(SynchronousTestCase):
    @given(FIELDS)
    def test_reference(self, fields: list[tuple[bytes, bytes]]) -> None:
        """The reference and our own decoder read what is written, and keep nothing of it."""
        block = encode_fields(fields)
        reference, ours = hpack.Decoder(max_header_list_size=1 << 20), HPACKDecoder()
        for _ in range(2):
            read = [tuple(each) for each in reference.decode(block, raw=True)]
            self.assertEqual(read, fields)
            self.assertEqual(ours.decode(block), fields)
        self.assertEqual(ours.size, 0)

    def test_names(self) -> None:
        """Names are sent in lower case."""
        self.assertEqual(
            HPACKDecoder().decode(encode_fields([(b"X-Name", b"Value")])), [(b"x-name", b"Value")]
        )

    @given(st.binary(max_size=300))
    def test_plain(self, value: bytes) -> None:
        """A value that does not come again is sent as it is."""
        block = encode_name(b"x-request-id") + encode_plain_string(value)
        self.assertTrue(block.endswith(value))
        self.assertEqual(HPACKDecoder().decode(block), [(b"x-request-id", value)])

    def test_kept(self) -> None:
        """Fields that are sent again are encoded once."""
        fields = EncodedFields([(b"A", b"1")])
        self.assertIs(encode_fields(fields), encode_fields(fields))

    def test_secrets(self) -> None:
        """Secrets are marked as never to be put into a table (RFC 7541 section 7.1.3)."""
        for name in (b"Authorization", b"Set-Cookie"):
            self.assertEqual(encode_fields([(name, b"secret")])[0] & 0xF0, 0x10)

    def test_status(self) -> None:
        """Each status is one pseudo-field; usual ones are one byte."""
        self.assertEqual(encode_status(200), b"\x88")
        self.assertEqual(HPACKDecoder().decode(encode_status(418)), [(b":status", b"418")])

    def test_integers(self) -> None:
        """RFC 7541 appendix C.1."""
        self.assertEqual(encode_integer(10, 31, 0), b"\x0a")
        self.assertEqual(encode_integer(1337, 31, 0), b"\x1f\x9a\x0a")
        self.assertEqual(encode_integer(42, 255, 0), b"\x2a")

    def test_no_table(self) -> None:
        """The change of the table's size is one that peers understand."""
        decoder = HPACKDecoder()
        decoder.begin(NO_TABLE)
        self.assertTrue(decoder.at_end())
