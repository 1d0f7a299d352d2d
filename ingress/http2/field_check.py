"""
What the fields of requests, responses and trailers in HTTP/2 have in common
(RFC 9113 section 8.2).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from ingress.encoded_fields import EncodedFields
from ingress.errors import RequestError, ResponseError
from ingress.http1.fault import MESSAGES
from ingress.http2.hpack_decoder import ENTRY_OVERHEAD, TABLE_SIZE, HPACKDecoder

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]++")
_VALUE: Final = re.compile(rb"(?![\t ])[\t\x20-\x7e\x80-\xff]*+(?<![\t ])")
"""No control characters, and no blanks at the ends."""

_OF_CONNECTION: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)

_MAX_CACHED: Final = 64
"""The longest name that a cache keeps, so that peers cannot fill it with long ones."""

_MAX_TRAILER_FIELDS: Final = 256

MAX_KEPT_TRAILERS: Final = 8
MAX_KEPT_BLOCK: Final = 256
"""How many blocks of trailers a connection keeps, and how long they may be."""

_FRAMING: Final = frozenset({b"content-length", b"te", b"host"})


def check_field(name: bytes, value: bytes, error: type[RequestError] | type[ResponseError]) -> None:
    """
    Check a field that is no pseudo-field.

    :raises PeerError: of the kind of `error`, if it may not be in a message of HTTP/2.
    """
    is_name = _is_name(name) if len(name) <= _MAX_CACHED else _is_name.__wrapped__(name)
    if not is_name:
        if name in _OF_CONNECTION:
            raise error(f"The {MESSAGES[error]} has a field of the connection.")
        raise error(f"The {MESSAGES[error]} has a malformed field name.")
    if _VALUE.fullmatch(value) is None:
        raise error(f"The {MESSAGES[error]} has a malformed field value.")
    if name == b"te" and value.lower() != b"trailers":
        raise error(f"The {MESSAGES[error]} has a TE other than trailers.")


@lru_cache(maxsize=1024)
def _is_name(name: bytes) -> bool:
    return name not in _OF_CONNECTION and _NAME.fullmatch(name) is not None


def as_lines(fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Write checked fields as HTTP/1.1 does, with the empty line."""
    return b"".join([b"%b: %b\r\n" % field for field in fields]) + b"\r\n"


class BlockReader:
    """
    Decodes field blocks within bounds.

    :param table_size: as for `HPACKDecoder`.
    :param trailer_size: of all trailers together, in bytes.
    :ivar decoder: the decoder of the connection.
    :ivar size: of the last list of fields, as HPACK counts it.
    :ivar is_too_large: whether it exceeded its bounds, so that fields are missing.
    :ivar late_type: the Content-Type among the missing ones.
    """

    __slots__ = (
        "_trailer_size",
        "_trailers",
        "_version",
        "decoder",
        "is_too_large",
        "late_type",
        "size",
    )

    def __init__(self, table_size: int = TABLE_SIZE, trailer_size: int = 16 * 1024) -> None:
        self.decoder = HPACKDecoder(table_size)
        self._trailer_size = trailer_size
        self._trailers: dict[bytes, EncodedFields] = {}
        """Trailers by their blocks, valid for this version of the dynamic table."""

        self._version = 0
        self.size = 0
        self.is_too_large = False
        self.late_type = b""

    def read_rest(self, name: bytes, max_size: int, max_count: int) -> list[tuple[bytes, bytes]]:
        """
        Decode the rest of a block. What is beyond the bounds is decoded, because the dynamic
        table depends on it, and dropped.

        :param name: the name of a field that has been taken already; `decoder.value` is its value.
        :raises CompressionFault: if the block cannot be decoded.
        """
        decoder = self.decoder
        fields: list[tuple[bytes, bytes]] = []
        size = count = 0
        late_type = b""
        while True:
            value = decoder.value
            size += len(name) + len(value) + ENTRY_OVERHEAD
            count += 1
            if size <= max_size and count <= max_count:
                fields.append((name, value))
            elif name == b"content-type":
                late_type = value[:_MAX_CACHED]
            if decoder.at_end():
                break
            name = decoder.take_field()
        self.size = size
        self.late_type = late_type
        self.is_too_large = size > max_size or count > max_count
        return fields

    def read_trailers(
        self, block: bytes, error: type[RequestError] | type[ResponseError]
    ) -> list[tuple[bytes, bytes]]:
        """
        :param error: the same one for all of a connection.
        :return: the trailers, which must not be changed: others may have the same block.
        :raises CompressionFault: if the block cannot be decoded.
        :raises PeerError: of the kind of `error`, if these may not be trailers.
        """
        decoder = self.decoder
        before = decoder.version
        if before == self._version:
            kept = self._trailers.get(block)
            if kept is not None:
                return kept
        decoder.begin(block)
        if decoder.at_end():
            return []
        fields = self.read_rest(decoder.take_field(), self._trailer_size, _MAX_TRAILER_FIELDS)
        decoder.let_go()
        if self.is_too_large:
            raise error(f"The {MESSAGES[error]} has trailers that are too large.")
        for name, value in fields:
            check_field(name, value, error)
            if name in _FRAMING and error is RequestError:
                raise error(f"The {MESSAGES[error]} has a trailer that frames messages.")
        found = EncodedFields([field for field in fields if field[0] not in _FRAMING])
        if decoder.version == before and len(block) <= MAX_KEPT_BLOCK:
            if before != self._version or len(self._trailers) >= MAX_KEPT_TRAILERS:
                self._version = before
                self._trailers.clear()
            self._trailers[block] = found
        return found

    def skip(self, block: bytes) -> None:
        """
        Decode a block whose fields nobody wants.

        :raises CompressionFault: if it cannot be decoded.
        """
        decoder = self.decoder
        decoder.begin(block)
        while not decoder.at_end():
            decoder.take_field()
        decoder.let_go()
