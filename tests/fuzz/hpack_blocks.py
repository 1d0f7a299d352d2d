"""
``python -m tests.fuzz.hpack_blocks --seconds 60``: field blocks as our codec, `hpack` and `ngh2`
read and write them.

Blocks are made of the representations of RFC 7541, so that sizes, indices, paddings and numbers that
no encoder writes occur; blocks come again byte for byte after the dynamic table has changed.
"""

from __future__ import annotations

import sys
from random import Random

import hpack
import ngh2

from ingress.config import Limits
from ingress.encoded_fields import EncodedFields
from ingress.errors import HeadTooLarge, PeerError
from ingress.http2.fault import COMPRESSION_ERROR, CompressionFault
from ingress.http2.field_check import BlockReader
from ingress.http2.frame import END_HEADERS, END_STREAM, HEADERS, PREFACE
from ingress.http2.hpack_decoder import HPACKDecoder
from ingress.http2.hpack_encoder import encode_fields, encode_integer
from ingress.http2.huffman import huffman_encode
from ingress.http2.request_head import RequestHeads
from ingress.http2.response_head import ResponseHeads
from tests.fuzz.campaign import run
from tests.support.http2_client import Frame, frame, read_frames, settings

Fields = list[tuple[bytes, bytes]]

NO_LIMIT = 1 << 24
NAMES = (
    b"a", b"x-long-name", b"cookie", b"te", b"content-length", b"priority", b"accept", b"host",
    b"user-agent", b"x-" + b"n" * 120,
)  # fmt: skip
VALUES = (
    b"", b"1", b"u=1, i", b"trailers", b"a.example", b"*/*", b"v" * 100, b"\xff\x00\x80", b"w" * 1500,
)  # fmt: skip
PSEUDO = (
    (b":method", b"GET"), (b":method", b"POST"), (b":scheme", b"http"), (b":scheme", b"https"),
    (b":path", b"/"), (b":path", b"/other"), (b":authority", b"a.example"),
    (b":authority", b"b.example"), (b":status", b"200"), (b":status", b"404"), (b":status", b"204"),
)  # fmt: skip

LIMITS = (Limits(), Limits(head_size=400), Limits(head_fields=5))


def string(random: Random, data: bytes) -> bytes:
    """A string literal; a few are broken."""
    kind = random.randrange(40)
    if kind < 20:
        return encode_integer(len(data), 0x7F, 0) + data
    coded = huffman_encode(data)
    if kind == 38:
        coded += random.choice([b"\xff", b"\x00", b"\xff\xff\xff\xff"])
    elif kind == 39:
        coded = random.randbytes(random.randrange(6))
    return encode_integer(len(coded), 0x7F, 0x80) + coded


def number(random: Random, value: int, mask: int, first: int) -> bytes:
    """A number, sometimes with more bytes than it needs."""
    data = encode_integer(value, mask, first)
    if len(data) > 1 and not random.randrange(8):
        more = random.randrange(1, 6)
        data = data[:-1] + bytes([data[-1] | 0x80]) + b"\x80" * (more - 1) + b"\x00"
    return data


def representation(random: Random, field: tuple[bytes, bytes], entries: int) -> bytes:
    """
    A field in one of its forms, or something that is none.

    :param entries: about how many there are in the dynamic table.
    """
    kind = random.randrange(40)
    if kind < 14:
        return number(random, 1 + random.randrange(61 + entries), 0x7F, 0x80)
    if kind < 35:
        mask, first = random.choice([(0x3F, 0x40), (0x3F, 0x40), (0x0F, 0), (0x0F, 0x10)])
        if random.randrange(3):
            return bytes([first]) + string(random, field[0]) + string(random, field[1])
        index = 1 + random.randrange(61 + entries)
        return number(random, index, mask, first) + string(random, field[1])
    if kind < 38:
        return encode_fields([field])
    if kind == 38:
        return number(random, random.choice([0, 100, 4096, 4097, 1 << 20]), 0x1F, 0x20)
    return random.choice(
        [b"\x80", b"\xff", b"\x7f\xff\xff\xff\xff\x0f", b"\xff\x80\x80\x80\x80\x80\x80\0",
         random.randbytes(3), number(random, 62 + entries + random.randrange(3), 0x7F, 0x80)]
    )  # fmt: skip


def raw_block(random: Random, entries: int) -> bytes:
    """Any block."""
    parts = [
        number(random, random.choice([0, 64, 200, 1000, 4095, 4096]), 0x1F, 0x20)
        for _ in range(random.choice([0, 0, 0, 1, 2, 2, 3]))
    ]
    for _ in range(random.randrange(8)):
        field = (random.choice(NAMES), random.choice(VALUES))
        parts.append(representation(random, field, entries))
    block = b"".join(parts)
    return block[: random.randrange(len(block) + 1)] if not random.randrange(10) else block


def check_decoder(random: Random) -> None:
    """`hpack` and we decode the same fields, or refuse the same block."""
    ours, theirs = HPACKDecoder(), hpack.Decoder(max_header_list_size=NO_LIMIT)
    for _ in range(random.randrange(1, 8)):
        block = raw_block(random, len(ours._entries))
        expected = decoded_by_hpack(theirs, block)
        try:
            found: Fields | None = ours.decode(block)
        except CompressionFault:
            found = None
        if found is None and expected is not None and _is_ours_alone(block):
            return
        assert found == expected, (block, found, expected)
        if found is None:
            return
        assert ours.size == theirs.header_table._current_size, block
        entries = list(theirs.header_table.dynamic_entries)
        assert ours._entries[::-1] == [tuple(entry) for entry in entries], block


def decoded_by_hpack(decoder: hpack.Decoder, block: bytes) -> Fields | None:
    """:return: None if it refuses the block."""
    try:
        fields = decoder.decode(block, raw=True)
    except (hpack.HPACKError, IndexError, UnicodeError):
        return None
    return [(bytes(name), bytes(value)) for name, value in fields]


def _is_ours_alone(block: bytes) -> bool:
    """
    :return: whether the block has what only we refuse: a number of more than five bytes behind its
        prefix, or three changes of the table's size.
    """
    decoder = HPACKDecoder()
    try:
        decoder.decode(block)
    except CompressionFault as fault:
        return str(fault) in (
            "A number of a field block is too long.",
            "A field block changes the table's size beyond its bound.",
        )
    return False


# Heads, whose blocks are looked up by their bytes.


class HeadBlocks:
    """Heads made of few parts, so that they come again, whole or behind other pseudo-fields."""

    def __init__(self, random: Random, *, is_response: bool) -> None:
        self._random = random
        self._is_response = is_response
        self._tails = [self._tail() for _ in range(random.randrange(1, 4))]

    def _tail(self) -> bytes:
        """Fields; those of the dynamic table mean something else after it has changed."""
        random = self._random
        parts = []
        for _ in range(random.randrange(1, 4)):
            kind = random.randrange(10)
            if kind < 5:
                parts.append(encode_integer(62 + random.randrange(2), 0x7F, 0x80))
            elif kind < 9:
                parts.append(encode_fields([(random.choice(NAMES), random.choice(VALUES[:7]))]))
            else:
                parts.append(literal(random.choice(NAMES), b"i", 0x40))
        return b"".join(parts)

    def take(self) -> bytes:
        random = self._random
        if self._is_response:
            begin = encode_fields([random.choice(PSEUDO[-3:])])
        else:
            fields = [random.choice(PSEUDO[at : at + 2]) for at in (0, 2, 4, 6)]
            first = random.choice([0, 0, 0, 0, 0, 0x10, 0x40])
            begin = encode_fields(fields[:3]) + literal(*fields[3], first)
        if not random.randrange(12):
            begin = random.choice([b"\x20\x3f\xe1\x1f", b"\x3f\xe1\x1f", b"\x20"]) + begin
        return begin + random.choice([*self._tails, b"", random.choice(self._tails)])


def literal(name: bytes, value: bytes, first: int) -> bytes:
    """A field by its text; with a `first` of 0x40 it is put into the table."""
    parts = [encode_integer(len(part), 0x7F, 0) + part for part in (name, value)]
    return bytes([first]) + b"".join(parts)


def check_heads(random: Random, *, is_response: bool) -> None:
    """A block means what its fields mean, however often the same bytes have come before."""
    reader = BlockReader()
    ours = (ResponseHeads if is_response else RequestHeads)(reader)
    theirs = hpack.Decoder(max_header_list_size=NO_LIMIT)
    blocks = HeadBlocks(random, is_response=is_response)
    limits = LIMITS[0]
    for _ in range(random.randrange(2, 30)):
        if not is_response and not random.randrange(10):
            limits = random.choice(LIMITS)
        if not random.randrange(6):
            # A change of the table by a block of another kind, such as trailers.
            other = literal(random.choice(NAMES), random.choice(VALUES), 0x40)
            reader.skip(other)
            theirs.decode(other, raw=True)
        block = blocks.take()
        is_of_head = is_response and not random.randrange(4)
        fields = decoded_by_hpack(theirs, block)
        found = read_head(ours, block, limits, is_of_head)
        if fields is None:
            assert _fault(found) is CompressionFault, (block, found)
            return
        fresh = (ResponseHeads if is_response else RequestHeads)(BlockReader())
        expected = read_head(fresh, encode_fields(fields), limits, is_of_head)
        if HeadTooLarge in (_fault(found), _fault(expected)):
            # Of several faults, that of the size may be found first or last.
            assert None not in (_fault(found), _fault(expected)), (block, fields, found, expected)
        else:
            assert found == expected, (block, fields, found, expected)


def _fault(found: object) -> object:
    """:return: the kind of a refusal; None for a head."""
    return found[0] if isinstance(found, tuple) and isinstance(found[0], type) else None


def read_head(
    heads: RequestHeads | ResponseHeads, block: bytes, limits: Limits, is_of_head: bool
) -> object:
    """:return: the head, or why it is refused, as something to be compared."""
    try:
        if isinstance(heads, RequestHeads):
            request = heads.read(block, limits)
            return (
                request.method, request.target, request.authority, request.fields, request.host,
                request.body_length, request.wants_websocket, heads.has_length, repr(heads.priority),
            )  # fmt: skip
        response = heads.read(block, limits, is_of_head=is_of_head)
        return (response.status, list(response.fields), response.body_length)
    except (PeerError, CompressionFault) as error:
        return (type(error), str(error))


# Through a connection of `ngh2`.


def check_ngh2(random: Random) -> None:
    """`ngh2` gets the same fields from a block, and calls the same ones a fault of compression."""
    connection = ngh2.Connection(ngh2.Role.SERVER)
    connection.initiate_connection({})
    connection.receive_data(PREFACE + settings())
    ours = HPACKDecoder()
    begin = encode_fields(PSEUDO[0:1] + PSEUDO[2:3] + PSEUDO[4:5] + PSEUDO[6:7])
    for stream_id in range(1, 2 * random.randrange(2, 8), 2):
        block = raw_block(random, len(ours._entries))
        size_updates = HPACKDecoder()
        try:
            size_updates.begin(block)
        except CompressionFault:
            cut = 0
        else:
            cut = size_updates.position
        block = block[:cut] + begin + block[cut:]
        try:
            fields: Fields | None = ours.decode(block)
        except CompressionFault:
            fields = None
        connection.data_to_send()
        connection.receive_data(frame(HEADERS, END_HEADERS | END_STREAM, stream_id, block))
        events = connection.events()
        sent = read_frames(connection.data_to_send())
        refused = any(each.kind == 7 and _code(each) == COMPRESSION_ERROR for each in sent)
        if refused or fields is None:
            assert (fields is None) == refused or _is_ours_alone(block), (block, fields, sent)
            return
        if any(each.kind == 7 for each in sent):
            return
        for event in events:
            if isinstance(event, ngh2.RequestReceived):
                found = [(bytes(each[0]), bytes(each[1])) for each in event.headers]
                assert found == fields, (block, found, fields)


def _code(sent: Frame) -> int:
    return sent.code


# What we encode.


def check_encoder(random: Random) -> None:
    """`hpack` and `ngh2` read what we have encoded, in whatever order and however often."""
    theirs = hpack.Decoder(max_header_list_size=NO_LIMIT)
    connection = ngh2.Connection(ngh2.Role.SERVER)
    connection.initiate_connection({})
    connection.receive_data(PREFACE + settings())
    kept: list[EncodedFields] = []
    for stream_id in range(1, 2 * random.randrange(2, 6), 2):
        fields = [
            (_name(random), random.choice([random.choice(VALUES), random.randbytes(9)]))
            for _ in range(random.randrange(6))
        ]
        if kept and random.randrange(2):
            encoded = random.choice(kept)
        else:
            encoded = EncodedFields(fields)
            kept.append(encoded)
        expected = [(name.lower(), value) for name, value in encoded]
        block = encode_fields(encoded)
        assert decoded_by_hpack(theirs, block) == expected, expected
        assert HPACKDecoder().decode(block) == expected, expected
        head = [*PSEUDO[0:1], *PSEUDO[2:3], *PSEUDO[4:5], *PSEUDO[6:7]]
        whole = encode_fields(head) + block
        connection.receive_data(frame(HEADERS, END_HEADERS | END_STREAM, stream_id, whole))
        sent = read_frames(connection.data_to_send())
        assert not any(each.kind == 7 for each in sent), (whole, sent)
        for event in connection.events():
            if isinstance(event, ngh2.RequestReceived):
                found = [(bytes(each[0]), bytes(each[1])) for each in event.headers]
                assert found == [*head, *expected], (found, expected)


def _name(random: Random) -> bytes:
    name = random.choice(NAMES)
    return name.title() if random.randrange(2) else name


def check(random: Random) -> None:
    """One of these."""
    kind = random.randrange(10)
    if kind < 2:
        check_decoder(random)
    elif kind < 6:
        check_heads(random, is_response=False)
    elif kind < 7:
        check_heads(random, is_response=True)
    elif kind < 9:
        check_ngh2(random)
    else:
        check_encoder(random)


if __name__ == "__main__":
    sys.exit(run("hpack_blocks", check))
