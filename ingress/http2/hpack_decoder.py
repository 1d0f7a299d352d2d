"""
Decodes field blocks (RFC 7541): bytes in, fields out.
"""

from __future__ import annotations

from typing import Final

from ingress.http2.fault import CompressionFault
from ingress.http2.huffman import huffman_decode
from ingress.http2.static_table import STATIC_COUNT, STATIC_TABLE

TABLE_SIZE: Final = 4096
"""The size of the dynamic table that peers use at first: the default of RFC 9113 section 6.5.2."""

ENTRY_OVERHEAD: Final = 32
"""Bytes that count for a field beside its name and value (RFC 7541 section 4.1)."""

MAX_SIZE_UPDATES: Final = 2
"""RFC 7541 section 4.2: two changes between blocks are signalled by two updates at most."""

_MAX_INTEGER_BYTES: Final = 5
"""Bytes of an integer behind its prefix: enough for every length and every index that occurs."""

_STATIC: Final = list(STATIC_TABLE)


class HPACKDecoder:
    """
    Decodes the field blocks of one connection, in order.

    Begin a block by `begin`, then take its fields one by one with `take_field` until `at_end`.

    :param table_size: of the dynamic table that the peer may use, no less than the default, which
        it uses until it knows.
    :ivar size: of the dynamic table, as RFC 7541 section 4.1 counts it.
    :ivar version: changes whenever the dynamic table does: as long as it is the same, equal bytes
        mean equal fields.
    """

    __slots__ = (
        "_block",
        "_end",
        "_entries",
        "_limit",
        "_most",
        "_position",
        "size",
        "value",
        "version",
    )

    def __init__(self, table_size: int = TABLE_SIZE) -> None:
        self.size = 0
        self.version = 0
        self.value = b""
        """The value of the field that `take_field` returned the name of."""

        self._entries: list[tuple[bytes, bytes]] = []
        """The dynamic table; the newest entry, which has the lowest index, is the last one."""

        self._most = table_size
        self._limit = TABLE_SIZE
        self._block = b""
        self._position = 0
        self._end = 0

    def __repr__(self) -> str:
        return f"<HPACKDecoder {len(self._entries)} entries, {self.size} of {self._limit} bytes>"

    @property
    def position(self) -> int:
        """How many bytes of the block have been taken."""
        return self._position

    def begin(self, block: bytes) -> None:
        """
        Begin a block, and take the changes of the table's size at its beginning.

        :raises CompressionFault: for changes that are not allowed.
        """
        self._block = block
        self._position = 0
        self._end = len(block)
        updates = 0
        while self._position < self._end and block[self._position] & 0xE0 == 0x20:
            updates += 1
            limit = self._integer(0x1F)
            if limit > self._most or updates > MAX_SIZE_UPDATES:
                raise CompressionFault("A field block changes the table's size beyond its bound.")
            self._limit = limit
            self._evict(limit)
            self.version += 1

    def at_end(self) -> bool:
        """:return: whether all fields of the block have been taken."""
        return self._position >= self._end

    def let_go(self) -> None:
        """Forget the block, which is over."""
        self._block = self.value = b""

    def take_field(self) -> bytes:
        """
        Take the next field.

        :return: its name; `value` has its value.
        :raises CompressionFault: if it cannot be decoded.
        """
        first = self._block[self._position]
        if first >= 0x80:
            if first & 0x7F and first != 0xFF:
                self._position += 1
                field = self._entry(first & 0x7F)
            else:
                field = self._entry(self._integer(0x7F))
            self.value = field[1]
            return field[0]
        if first >= 0x40:
            name = self._literal(0x3F)
            self._insert(name, self.value)
            return name
        if first >= 0x20:
            raise CompressionFault("A change of the table's size follows a field.")
        return self._literal(0x0F)

    def decode(self, block: bytes) -> list[tuple[bytes, bytes]]:
        """
        Decode a whole block, without any bound on its decoded size.

        :raises CompressionFault: if it cannot be decoded.
        """
        self.begin(block)
        fields: list[tuple[bytes, bytes]] = []
        while self._position < self._end:
            name = self.take_field()
            fields.append((name, self.value))
        return fields

    def _literal(self, mask: int) -> bytes:
        index = self._block[self._position] & mask
        if index == mask:
            index = self._integer(mask)
        else:
            self._position += 1
        name = self._string() if index == 0 else self._entry(index)[0]
        self.value = self._string()
        return name

    def _entry(self, index: int) -> tuple[bytes, bytes]:
        if index <= STATIC_COUNT:
            if index == 0:
                raise CompressionFault("A field block has the index 0.")
            return _STATIC[index - 1]
        entries = self._entries
        position = len(entries) + STATIC_COUNT - index
        if position < 0:
            raise CompressionFault("A field block has an index beyond the table.")
        return entries[position]

    def _integer(self, mask: int) -> int:
        """Take an integer (RFC 7541 section 5.1) whose prefix is the bits of `mask`."""
        block, position = self._block, self._position
        value = block[position] & mask
        position += 1
        if value == mask:
            shift = 0
            while True:
                if position >= self._end:
                    raise CompressionFault("A field block ends within a number.")
                octet = block[position]
                position += 1
                value += (octet & 0x7F) << shift
                shift += 7
                if octet < 0x80:
                    break
                if shift >= 7 * _MAX_INTEGER_BYTES:
                    raise CompressionFault("A number of a field block is too long.")
        self._position = position
        return value

    def _string(self) -> bytes:
        block, position = self._block, self._position
        if position >= self._end:
            raise CompressionFault("A field block ends within a field.")
        first = block[position]
        length = first & 0x7F
        if length == 0x7F:
            length = self._integer(0x7F)
            position = self._position
        else:
            position += 1
        end = position + length
        if end > self._end:
            raise CompressionFault("A field block ends within a string.")
        self._position = end
        data = block[position:end]
        return huffman_decode(data) if first >= 0x80 else data

    def _insert(self, name: bytes, value: bytes) -> None:
        self.version += 1
        size = len(name) + len(value) + ENTRY_OVERHEAD
        self._evict(self._limit - size)
        if size <= self._limit:
            self._entries.append((name, value))
            self.size += size

    def _evict(self, room: int) -> None:
        """Drop the oldest entries until the table takes no more than `room` bytes."""
        count = 0
        entries = self._entries
        while self.size > room and count < len(entries):
            name, value = entries[count]
            self.size -= len(name) + len(value) + ENTRY_OVERHEAD
            count += 1
        if count:
            del entries[:count]
