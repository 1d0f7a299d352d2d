"""
The bodies of HTTP/1.1 messages: decoders that say exactly where a body ends.

A decoder is fed the bytes after a head. It returns the body's bytes, and separately the
bytes after the body's end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from ingress.errors import RequestError, ResponseError
from ingress.http1.fault import MESSAGES

MAX_CHUNK_LINE: Final = 512
"""Bytes of a chunk's size and its extensions; signed uploads to S3 use about 90."""

MAX_TRAILERS: Final = 16 * 1024
"""Bytes of all trailer fields together."""

MAX_BODY: Final = 2**63 - 1

# Possessive quantifiers follow sets of characters only: after a group that fails in its
# middle, Python before 3.11.5 continues where it failed (python/cpython#106052).
_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED: Final = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
# Extensions are skipped, but they must be well-formed: another parser could read a chunk, or the
# end of the line, in the bytes that they hide (RFC 9112 section 7.1.1, without bad whitespace).
_CHUNK_LINE: Final = re.compile(
    rb"([0-9A-Fa-f]{1,16})(?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*"
)
_WHOLE_CHUNK_LINE: Final = re.compile(_CHUNK_LINE.pattern + rb"\r\n")
_TRAILER_LINE: Final = re.compile(_TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+")

# RFC 9110 section 6.5.1 forbids these trailers, and some parsers act on them. A request that has
# one is refused; in a response they are dropped.
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})

Trailers = Sequence[tuple[bytes, bytes]]


class BodyDecoder:
    """
    Cuts a body out of the bytes of a connection.

    This base class is the decoder of messages without a body, which share one object.

    :ivar is_complete: whether the end of the body has come.
    """

    __slots__ = ("is_complete",)

    def __init__(self, *, is_complete: bool = True) -> None:
        self.is_complete = is_complete

    @property
    def trailers(self) -> Trailers:
        """The fields behind a chunked body, ``(name, value)``, once it is complete."""
        return ()

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """
        :return: the body's next bytes, and the bytes after the body's end.
        :raises PeerError: if the body is malformed.
        """
        return b"", data

    def close(self) -> bool:
        """
        The connection has ended.

        :return: whether the body has ended with it.
        """
        return self.is_complete


class LengthBody(BodyDecoder):
    """A body of known length."""

    __slots__ = ("remaining",)

    def __init__(self, length: int) -> None:
        super().__init__(is_complete=length == 0)
        self.remaining = length

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        if len(data) < self.remaining:
            self.remaining -= len(data)
            return data, b""
        body, rest = data[: self.remaining], data[self.remaining :]
        self.remaining = 0
        self.is_complete = True
        return body, rest


class UntilCloseBody(BodyDecoder):
    """The body of a response that ends with its connection."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(is_complete=False)

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        return data, b""

    def close(self) -> bool:
        self.is_complete = True
        return True


class _ChunkState(Enum):
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILERS = auto()
    COMPLETE = auto()


class ChunkedBody(BodyDecoder):
    """
    A body in the chunked transfer coding (RFC 9112 section 7.1), strictly parsed.

    :param error: the exception for a malformed body: it says whose fault that is.
    """

    __slots__ = (
        "_error",
        "_pending",
        "_remaining",
        "_state",
        "_trailer_bytes",
        "_trailers",
    )

    def __init__(self, error: type[RequestError] | type[ResponseError]) -> None:
        super().__init__(is_complete=False)
        self._error = error
        self._state = _ChunkState.SIZE
        self._remaining = 0
        self._pending = b""
        self._trailer_bytes = 0
        self._trailers: list[tuple[bytes, bytes]] = []

    @property
    def trailers(self) -> Trailers:
        return self._trailers

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        if self._pending:
            data = self._pending + data
            self._pending = b""
        pieces: list[bytes] = []
        position = 0
        while self._state is not _ChunkState.COMPLETE:
            if self._state is _ChunkState.SIZE:
                position = _take_whole_chunks(data, position, pieces)
            if self._state is _ChunkState.DATA:
                piece = data[position : position + self._remaining]
                pieces.append(piece)
                position += len(piece)
                self._remaining -= len(piece)
                if self._remaining:
                    return b"".join(pieces), b""
                self._state = _ChunkState.DATA_END
            end = data.find(b"\r\n", position)
            if end < 0:
                self._keep(data[position:])
                return b"".join(pieces), b""
            self._line(data[position:end])
            position = end + 2
        return b"".join(pieces), data[position:]

    def _keep(self, pending: bytes) -> None:
        """Wait for the rest of a line, unless it can no longer become a valid one."""
        if self._state is _ChunkState.DATA_END and pending not in (b"", b"\r"):
            raise self._refusal("a chunk that is longer than its size")
        limit = MAX_TRAILERS if self._state is _ChunkState.TRAILERS else MAX_CHUNK_LINE
        # One byte more than a whole line may have: it may end with the CR of its CRLF.
        if b"\n" in pending or b"\r" in pending[:-1]:
            raise self._refusal("a line with a bare CR or LF")
        if len(pending) > limit + 1:
            raise self._refusal("a line that is too long")
        self._pending = pending

    def _line(self, line: bytes) -> None:
        if self._state is _ChunkState.DATA_END:
            if line:
                raise self._refusal("a chunk that is longer than its size")
            self._state = _ChunkState.SIZE
        elif self._state is _ChunkState.SIZE:
            match = _CHUNK_LINE.fullmatch(line)
            if match is None:
                raise self._refusal("a chunk with a malformed size or extension")
            if len(line) > MAX_CHUNK_LINE:
                raise self._refusal("a line that is too long")
            self._remaining = int(match[1], 16)
            if self._remaining > MAX_BODY:
                raise self._refusal("a chunk that is too large")
            self._state = _ChunkState.DATA if self._remaining else _ChunkState.TRAILERS
        elif line:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > MAX_TRAILERS:
                raise self._refusal("trailers that are too large")
            if not _TRAILER_LINE.fullmatch(line):
                raise self._refusal("a malformed trailer")
            name, _, value = line.partition(b":")
            if name.lower() not in _FRAMING:
                self._trailers.append((name, value.strip(b" \t")))
            elif self._error is RequestError:
                raise self._refusal("a trailer that frames messages")
        else:
            self._state = _ChunkState.COMPLETE
            self.is_complete = True

    def _refusal(self, fault: str) -> RequestError | ResponseError:
        return self._error(f"The chunked body of the {MESSAGES[self._error]} has {fault}.")


def _take_whole_chunks(data: bytes, position: int, pieces: list[bytes]) -> int:
    """
    Take complete chunks, up to one that is incomplete, malformed or the last; those are left
    to `ChunkedBody`.

    One read can hold 10,000 chunks of a byte each, while other connections wait: this takes a
    sixth of the time.

    :return: the position after them.
    """
    line_at = _WHOLE_CHUNK_LINE.match
    while (line := line_at(data, position)) is not None:
        start = line.end()
        end = start + int(line[1], 16)
        if end == start or start - position > MAX_CHUNK_LINE or data[end : end + 2] != b"\r\n":
            break
        pieces.append(data[start:end])
        position = end + 2
    return position


def encode_chunk(data: bytes) -> bytes:
    """Encode one chunk; `data` must not be empty, because an empty chunk ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def encode_last_chunk(trailers: Trailers = ()) -> bytes:
    """Encode the end of a chunked body."""
    lines = b"".join(b"%b: %b\r\n" % trailer for trailer in trailers)
    return b"0\r\n%b\r\n" % lines


LAST_CHUNK: Final = encode_last_chunk()
