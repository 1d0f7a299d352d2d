"""
A reader of HTTP/1.1 that forgives nothing, and shares no code with ours.

It is what an endpoint could be that takes each byte literally: whatever is not exactly the grammar of
RFC 9112, without its tolerances, is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
TARGET = frozenset(range(0x21, 0x7F)) | frozenset(range(0x80, 0x100))
VALUE = TARGET | frozenset(b" \t")
HEX = frozenset(b"0123456789abcdefABCDEF")
DIGITS = frozenset(b"0123456789")


class NotStrictError(ValueError):
    """Something is not HTTP/1.1 to the letter."""


def demand(is_right: bool, what: str, data: bytes = b"") -> None:
    if not is_right:
        raise NotStrictError(f"{what}: {data[:200]!r}")


@dataclass
class StrictRequest:
    """
    :ivar fields: in order; names in lower case.
    :ivar is_whole: whether its body has ended; a tunnel's never does.
    """

    method: bytes
    target: bytes
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    is_whole: bool = False

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key == name]

    @property
    def is_tunnel(self) -> bool:
        return bool(self.values(b"upgrade"))


class StrictReader:
    """
    Reads the requests of one connection.

    :ivar requests: those whose head has come.
    """

    def __init__(self) -> None:
        self.requests: list[StrictRequest] = []
        self._waiting = b""
        self._read: Callable[[], bool] = self._head
        self._left = 0

    def feed(self, data: bytes) -> None:
        """:raises NotStrictError: where the bytes are no request."""
        self._waiting += data
        while self._waiting and self._read():
            pass

    @property
    def rest(self) -> bytes:
        """What has come and is not a part of a request yet."""
        return self._waiting

    def _line(self) -> bytes | None:
        line, end, rest = self._waiting.partition(b"\n")
        if not end:
            return None
        demand(line.endswith(b"\r"), "a line ends without CR", line)
        line = line[:-1]
        demand(b"\r" not in line and b"\0" not in line, "a line has CR or NUL", line)
        self._waiting = rest
        return line

    def _head(self) -> bool:
        if b"\r\n\r\n" not in self._waiting:
            return False
        begin = self._line()
        assert begin is not None
        parts = begin.split(b" ")
        demand(len(parts) == 3, "a request line has not three parts", begin)
        method, target, version = parts
        demand(bool(method) and TOKEN.issuperset(method), "a method is no token", method)
        demand(bool(target) and TARGET.issuperset(target), "a target is none", target)
        demand(version == b"HTTP/1.1", "a version is not 1.1", version)
        request = StrictRequest(method, target)
        while line := self._line():
            name, colon, value = line.partition(b":")
            demand(bool(colon and name) and TOKEN.issuperset(name), "a name is no token", line)
            value = value.strip(b" \t")
            demand(VALUE.issuperset(value), "a value has control characters", line)
            request.fields.append((name.lower(), value))
        self.requests.append(request)
        self._frame(request)
        return True

    def _frame(self, request: StrictRequest) -> None:
        demand(len(request.values(b"host")) == 1, "there is not one Host", request.target)
        lengths = request.values(b"content-length")
        codings = request.values(b"transfer-encoding")
        demand(len(lengths) + len(codings) <= 1, "there are two framings", request.target)
        if request.is_tunnel:
            demand(not lengths and not codings, "a tunnel has a body", request.target)
            self._read = self._tunnel
        elif codings:
            demand(codings == [b"chunked"], "the coding is another", codings[0])
            self._read = self._chunk
        elif lengths:
            demand(bool(lengths[0]) and DIGITS.issuperset(lengths[0]), "no length", lengths[0])
            demand(lengths[0] == b"%d" % int(lengths[0]), "a length has zeros", lengths[0])
            self._left = int(lengths[0])
            self._read = self._sized if self._left else self._head
            request.is_whole = not self._left
        else:
            request.is_whole = True

    def _sized(self) -> bool:
        request = self.requests[-1]
        data, self._waiting = self._waiting[: self._left], self._waiting[self._left :]
        request.body += data
        self._left -= len(data)
        if not self._left:
            self._end()
        return True

    def _chunk(self) -> bool:
        end = self._waiting.find(b"\n")
        if end < 0:
            return False
        size = self._waiting[: end - 1]
        demand(bool(size) and HEX.issuperset(size), "a chunk has no size", size)
        length = int(size, 16)
        if len(self._waiting) < end + 1 + length + 2:
            return False
        demand(self._line() is not None, "a chunk has no size")
        self.requests[-1].body += self._waiting[:length]
        demand(self._waiting[length : length + 2] == b"\r\n", "a chunk has no end", self._waiting)
        self._waiting = self._waiting[length + 2 :]
        if not length:
            # No trailers are sent to endpoints that speak HTTP/1.1.
            self._end()
        return True

    def _tunnel(self) -> bool:
        self.requests[-1].body += self._waiting
        self._waiting = b""
        return False

    def _end(self) -> None:
        self.requests[-1].is_whole = True
        self._read = self._head
