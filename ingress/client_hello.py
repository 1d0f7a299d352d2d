"""
The ClientHello of a TLS connection, read for the name of the server and for nothing else.

It decides which connections are passed through before anything is decrypted. What cannot be read is
no fault here: then TLS ends at this proxy, and OpenSSL answers with the alert that fits.

Source of the format: RFC 8446 sections 4.1.2 and 5.1, RFC 6066 section 3. The ClientHello of TLS
1.2 is the same as far as it is read here.
"""

from __future__ import annotations

from typing import Final

MAX_HANDSHAKE: Final = 16 * 1024
"""Bytes of a ClientHello; longer ones are not read. Those of browsers have up to 2 KiB."""

MAX_RECORDS: Final = 24 * 1024
"""Bytes of the records around it; one of 4 KiB takes as many in records of one byte."""

_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_NAME: Final = 0
_HOST_NAME: Final = 0

_RECORD_HEADER: Final = 5
_MESSAGE_HEADER: Final = 4
_MAX_RECORD: Final = 1 << 14


class HelloReader:
    """
    Reads the ClientHello at the beginning of a connection.

    :ivar is_over: whether no more bytes are needed, because it is whole or cannot be read.
    :ivar server_name: the host name in it, as sent; None if there is none, or before `is_over`.
    :ivar needed: the bytes from the beginning of the connection that `read` wants at least.
    """

    __slots__ = ("_message", "_offset", "is_over", "needed", "server_name")

    def __init__(self) -> None:
        self.is_over = False
        self.server_name: bytes | None = None
        self.needed = _RECORD_HEADER + 1
        self._message = bytearray()
        """The content of the records that have been read."""

        self._offset = 0
        """Where the next record begins."""

    def __repr__(self) -> str:
        state = "over" if self.is_over else f"needs {self.needed} bytes"
        return f"<HelloReader {state}>"

    def read(self, data: bytes) -> None:
        """
        :param data: everything that has come since the beginning of the connection.
        """
        while not self.is_over:
            start = self._offset
            if data[start : start + 1] not in (b"", b"\x16"):
                # An alert, HTTP, SSL 2.0: nothing that names a server.
                self._end()
            elif len(data) < start + _RECORD_HEADER:
                self._need(start + _RECORD_HEADER)
                return
            else:
                length = int.from_bytes(data[start + 3 : start + 5])
                end = start + _RECORD_HEADER + length
                if data[start + 1] != 3 or not 0 < length <= _MAX_RECORD or end > MAX_RECORDS:
                    self._end()
                elif len(data) < end:
                    self._need(end)
                    return
                else:
                    self._offset = end
                    self._take(data[start + _RECORD_HEADER : end])

    def _need(self, count: int) -> None:
        self.needed = count

    def _end(self, server_name: bytes | None = None) -> None:
        self.server_name = server_name
        self.is_over = True
        self._message = bytearray()

    def _take(self, content: bytes) -> None:
        """Take the content of one record."""
        message = self._message
        message += content
        if message[0] != _CLIENT_HELLO:
            self._end()
            return
        if len(message) < _MESSAGE_HEADER:
            return
        end = _MESSAGE_HEADER + int.from_bytes(message[1:_MESSAGE_HEADER])
        if end > MAX_HANDSHAKE:
            self._end()
        elif len(message) >= end:
            self._end(find_server_name(bytes(message[_MESSAGE_HEADER:end])))


def find_server_name(hello: bytes) -> bytes | None:
    """
    :param hello: a ClientHello without the header of its message.
    :return: the host name of its extension server_name, as sent; None if there is none, or two, or
        if it is malformed anywhere before the end of its extensions.
    """
    try:
        return _find(hello)
    except IndexError:
        return None


def _find(hello: bytes) -> bytes | None:
    # legacy_version, random
    position = 34
    for size in (1, 2, 1):  # legacy_session_id, cipher_suites, legacy_compression_methods
        _, position = _vector(hello, position, size)
    if position == len(hello):
        return None
    extensions, position = _vector(hello, position, 2)
    if position != len(hello):
        return None
    names: list[bytes] = []
    position = 0
    while position < len(extensions):
        kind = int.from_bytes(extensions[position : position + 2])
        content, position = _vector(extensions, position + 2, 2)
        if kind == _SERVER_NAME:
            names.append(content)
    return _host_name(names[0]) if len(names) == 1 else None


def _host_name(extension: bytes) -> bytes | None:
    entries, end = _vector(extension, 0, 2)
    if not entries or end != len(extension) or entries[0] != _HOST_NAME:
        return None
    # One entry: no other kind was ever defined, and OpenSSL refuses a second one.
    name, end = _vector(entries, 1, 2)
    return name if name and end == len(entries) and b"\0" not in name else None


def _vector(data: bytes, position: int, size: int) -> tuple[bytes, int]:
    """
    :param size: the bytes of the length.
    :return: the content of a vector, and the position after it.
    :raises IndexError: if it goes beyond the end.
    """
    start = position + size
    end = start + int.from_bytes(data[position:start])
    if start > len(data) or end > len(data):
        raise IndexError
    return data[start:end], end
