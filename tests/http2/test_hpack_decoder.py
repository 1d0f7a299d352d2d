"""Tests of `ingress.http2.hpack_decoder`."""

from __future__ import annotations

from collections.abc import Sequence

import hpack
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.http2.fault import CompressionFault
from ingress.http2.hpack_decoder import TABLE_SIZE, HPACKDecoder

NAME = st.binary(max_size=30) | st.sampled_from([b":method", b":path", b"cookie", b"x"])
FIELDS = st.lists(st.tuples(NAME, st.binary(max_size=300)), max_size=12)

SITE = (b":authority", b"www.example.com")
REQUESTS = [
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), SITE],
    [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":path", b"/"),
        SITE,
        (b"cache-control", b"no-cache"),
    ],
    [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":path", b"/index.html"),
        SITE,
        (b"custom-key", b"custom-value"),
    ],
]
"""The requests of RFC 7541 appendices C.3 and C.4."""

PLAIN = (
    "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
    "8286 84be 5808 6e6f 2d63 6163 6865",
    "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
)
HUFFMAN = (
    "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
    "8286 84be 5886 a8eb 1064 9cbf",
    "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
)
SIZES = (57, 110, 164)

DATE = (b"date", b"Mon, 21 Oct 2013 20:13:21 GMT")
LOCATION = (b"location", b"https://www.example.com")
RESPONSES = [
    [(b":status", status), (b"cache-control", b"private"), DATE, LOCATION]
    for status in (b"302", b"307")
]
"""The first two responses of appendices C.5 and C.6, whose table holds 256 bytes."""

PLAIN_RESPONSES = (
    "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a"
    "3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
    "4803 3330 37c1 c0bf",
)
HUFFMAN_RESPONSES = (
    "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e"
    "919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
    "4883 640e ffc1 c0bf",
)


class VectorTests(SynchronousTestCase):
    """The examples of RFC 7541 appendix C."""

    def test_integers(self) -> None:
        """C.1: 10 and 1337 with a prefix of five bits; here as sizes of the table."""
        decoder = HPACKDecoder()
        decoder.begin(bytes.fromhex("2a"))
        self.assertTrue(decoder.at_end())
        decoder.begin(bytes.fromhex("3f9a0a"))
        self.assertTrue(decoder.at_end())

    def test_single_fields(self) -> None:
        """C.2: a literal of each kind, and an index."""
        for text, field, size in (
            (
                "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
                (b"custom-key", b"custom-header"),
                55,
            ),
            ("040c 2f73 616d 706c 652f 7061 7468", (b":path", b"/sample/path"), 0),
            ("1008 7061 7373 776f 7264 0673 6563 7265 74", (b"password", b"secret"), 0),
            ("82", (b":method", b"GET"), 0),
        ):
            decoder = HPACKDecoder()
            self.assertEqual(decoder.decode(bytes.fromhex(text)), [field])
            self.assertEqual(decoder.size, size)

    def test_requests(self) -> None:
        """C.3 and C.4: requests that refer to each other, without and with the Huffman code."""
        for blocks in (PLAIN, HUFFMAN):
            decoder = HPACKDecoder()
            for block, fields, size in zip(blocks, REQUESTS, SIZES, strict=True):
                self.assertEqual(decoder.decode(bytes.fromhex(block)), fields)
                self.assertEqual(decoder.size, size)

    def test_responses(self) -> None:
        """C.5 and C.6: entries are evicted from a table of 256 bytes."""
        for blocks in (PLAIN_RESPONSES, HUFFMAN_RESPONSES):
            decoder = HPACKDecoder()
            decoder.begin(bytes.fromhex("3fe101"))
            for block, fields in zip(blocks, RESPONSES, strict=True):
                self.assertEqual(decoder.decode(bytes.fromhex(block)), fields)
                self.assertEqual(decoder.size, 222)


class DecoderTests(SynchronousTestCase):
    @given(st.lists(st.tuples(FIELDS, st.integers(0, TABLE_SIZE) | st.none()), max_size=6))
    def test_reference_encoder(
        self, blocks: Sequence[tuple[list[tuple[bytes, bytes]], int | None]]
    ) -> None:
        """Blocks of the reference are decoded, with whatever sizes of its table."""
        encoder, decoder, version = hpack.Encoder(), HPACKDecoder(), 0
        for fields, size in blocks:
            if size is not None:
                encoder.header_table_size = size
            block = encoder.encode(fields, huffman=len(fields) % 2 == 0)
            self.assertEqual(decoder.decode(block), fields)
            self.assertGreaterEqual(decoder.version, version)
            version = decoder.version

    @given(st.lists(st.binary(max_size=60), max_size=5))
    def test_anything(self, blocks: Sequence[bytes]) -> None:
        """Arbitrary blocks are decoded as by the reference, or refused."""
        decoder, reference = HPACKDecoder(), hpack.Decoder(max_header_list_size=1 << 20)
        for block in blocks:
            try:
                fields = decoder.decode(block)
            except CompressionFault:
                return
            self.assertEqual(fields, [tuple(each) for each in reference.decode(block, raw=True)])

    def test_refused(self) -> None:
        """Indexes and sizes beyond their bounds, and blocks that are cut off, are refused."""
        for text in (
            "80",  # Index 0.
            "be",  # The first index of an empty table.
            "ff80808080808001",  # A number that is too long.
            "ff",  # A number that is cut off.
            "40",  # A literal without a name.
            "4001",
            "400161",
            "40016105 6161",
            "7f00 61 00",  # The name of an index beyond the table.
            "8220",  # A change of size behind a field.
            "3fe21f",  # 4097 bytes.
            "202020",  # Three changes.
            "40 8a 1c",
        ):
            with self.assertRaises(CompressionFault, msg=text):
                HPACKDecoder().decode(bytes.fromhex(text))

    def test_every_cut(self) -> None:
        """A block that ends within a field is refused, wherever it is cut."""
        block = bytes.fromhex(HUFFMAN[0])
        whole = {3, 2, 1, 0}
        for end in range(len(block)):
            decoder = HPACKDecoder()
            if end in whole:
                self.assertEqual(len(decoder.decode(block[:end])), end)
            else:
                with self.assertRaises(CompressionFault):
                    decoder.decode(block[:end])

    def test_large_entry(self) -> None:
        """An entry that is larger than the table empties it."""
        decoder = HPACKDecoder()
        decoder.decode(hpack.Encoder().encode([(b"a", b"b")]))
        self.assertEqual(decoder.size, 34)
        fields = [(b"c", b"d" * TABLE_SIZE)]
        self.assertEqual(decoder.decode(hpack.Encoder().encode(fields)), fields)
        self.assertEqual(decoder.size, 0)

    def test_bounded_table(self) -> None:
        """Whatever is sent, the table keeps its bound."""
        decoder = HPACKDecoder()
        encoder = hpack.Encoder()
        for number in range(2000):
            decoder.decode(encoder.encode([(b"x%d" % number, b"y" * (number % 90))]))
            self.assertLessEqual(decoder.size, TABLE_SIZE)
