"""
Encodes field blocks (RFC 7541) without the dynamic table: the bytes of a field are always the same.

A table would save some bytes of a message, but then the fields that most messages share could not
be encoded once for all (`ingress.encoded_fields`), and each connection would need its own table.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from ingress.encoded_fields import EncodedFields
from ingress.http2.huffman import huffman_encode
from ingress.http2.static_table import STATIC_FIELDS, STATIC_NAMES

NO_TABLE: Final = b"\x20"
"""
Sets the size of the dynamic table to 0. Peers that have reduced its size expect a change at the
beginning of the next block (RFC 7541 section 4.2).
"""

_NEVER_INDEXED: Final = frozenset({b"authorization", b"proxy-authorization", b"set-cookie"})
"""Secrets, which no proxy behind us may put into a table either (RFC 7541 section 7.1.3)."""

_OCTETS: Final = [bytes((octet,)) for octet in range(256)]

_MAX_CACHED: Final = 128
"""The longest field that is kept encoded: peers could otherwise fill the cache with long ones."""


def encode_integer(value: int, mask: int, first: int) -> bytes:
    """
    Encode an integer (RFC 7541 section 5.1).

    :param mask: the bits of its prefix, all set.
    :param first: the other bits of the first byte.
    """
    if value < mask:
        return _OCTETS[first | value]
    out = [first | mask]
    value -= mask
    while value >= 0x80:
        out.append(0x80 | (value & 0x7F))
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_string(data: bytes) -> bytes:
    """Encode a string by the Huffman code if that makes it shorter."""
    encoded = huffman_encode(data)
    if len(encoded) < len(data):
        return encode_integer(len(encoded), 0x7F, 0x80) + encoded
    return encode_integer(len(data), 0x7F, 0) + data


def encode_field(name: bytes, value: bytes) -> bytes:
    """:param name: in lower case."""
    if len(name) + len(value) <= _MAX_CACHED:
        return _short_field(name, value)
    return _encode_field(name, value)


def encode_name(name: bytes) -> bytes:
    """
    Encode the name of a field whose value follows by `encode_plain_string`.

    :param name: in lower case, and none of the static table.
    """
    return b"\0" + encode_string(name)


def encode_plain_string(data: bytes) -> bytes:
    """Encode a string as it is: for ids, which do not come again, and which the code makes little
    shorter."""
    return encode_integer(len(data), 0x7F, 0) + data


@lru_cache(maxsize=4096)
def _short_field(name: bytes, value: bytes) -> bytes:
    return _encode_field(name, value)


def _encode_field(name: bytes, value: bytes) -> bytes:
    index = STATIC_FIELDS.get((name, value))
    if index is not None:
        return encode_integer(index, 0x7F, 0x80)
    kind = 0x10 if name in _NEVER_INDEXED else 0
    index = STATIC_NAMES.get(name)
    if index is not None:
        return encode_integer(index, 0x0F, kind) + encode_string(value)
    return bytes((kind,)) + encode_string(name) + encode_string(value)


def encode_fields(fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """
    Encode fields whose names may have upper case; those that are sent again are encoded once.
    """
    if type(fields) is EncodedFields:
        block = fields.http2
        if block is None:
            block = fields.http2 = _encode_fields(fields)
        return block
    return _encode_fields(fields)


def _encode_fields(fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    return b"".join([encode_field(name.lower(), value) for name, value in fields])


_STATUSES: Final = tuple(_encode_field(b":status", b"%d" % status) for status in range(1000))


def encode_status(status: int) -> bytes:
    """Encode the pseudo-field of a response."""
    return _STATUSES[status]
