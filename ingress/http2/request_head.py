"""
The heads of requests in HTTP/2: field blocks in, requests out (RFC 9113 section 8.3).

What is special to HTTP/2 is checked here; the rest is checked by the code of HTTP/1.1, which gets
the fields as lines. A client repeats blocks, or at least most of their fields, in the same bytes.
A block, and what follows its pseudo-fields, is therefore looked up by its bytes, as long as the
dynamic table is unchanged.
"""

from __future__ import annotations

import re
from typing import Final

from ingress.config import Limits
from ingress.errors import HeadTooLarge, MethodUnknown, RequestError
from ingress.http1.decoder import MAX_FIRST_LINE
from ingress.http1.head import TOKEN
from ingress.http1.request_head import aim_request, parse_fields
from ingress.http2.field_check import BlockReader, as_lines, check_field
from ingress.http2.hpack_decoder import ENTRY_OVERHEAD
from ingress.http2.priority import Priority, parse_priority
from ingress.message import Request

_METHOD: Final = re.compile(TOKEN)
_SCHEMES: Final = frozenset({b"http", b"https"})
_COLON: Final = 0x3A

MAX_TAILS: Final = 16
MAX_TAIL: Final = 1024
"""How many parts of blocks a connection keeps, and how long they may be."""

MAX_WHOLE: Final = 8
MAX_BLOCK: Final = 256
"""How many whole blocks a connection keeps, and how long they may be."""


class Tail:
    """
    The fields of a request behind its pseudo-fields.

    :ivar kept: the request made of them (`parse_fields`).
    :ivar size: as HPACK counts it.
    :ivar count: the number of fields.
    :ivar host: the Host field, if there is one.
    :ivar has_length: whether there is a Content-Length.
    :ivar priority: None without a `priority` field.
    """

    __slots__ = ("count", "has_length", "host", "kept", "priority", "size")

    def __init__(self, method: bytes, fields: list[tuple[bytes, bytes]], size: int) -> None:
        self.size = size
        self.count = len(fields)
        self.host: bytes | None = None
        self.has_length = False
        self.priority: Priority | None = None
        plain: list[tuple[bytes, bytes]] = []
        cookie = -1
        for name, value in fields:
            check_field(name, value, RequestError)
            if name == b"cookie":
                if cookie >= 0:
                    # RFC 9113 section 8.2.3: crumbs are joined for whoever speaks HTTP/1.1.
                    plain[cookie] = (name, plain[cookie][1] + b"; " + value)
                    continue
                cookie = len(plain)
            elif name == b"host":
                if self.host is not None:
                    raise RequestError("The request must have exactly one Host field.")
                self.host = value
                continue
            elif name == b"content-length":
                self.has_length = True
            elif name == b"priority":
                self.priority = parse_priority(value)
            plain.append((name, value))
        self.kept = parse_fields(method, as_lines(plain))


class _Whole:
    """
    A request and what is known of it beside that.

    :ivar with_body: the same with a body of unknown length, once it was asked for.
    """

    __slots__ = ("has_length", "priority", "request", "with_body")

    def __init__(self, request: Request, has_length: bool, priority: Priority | None) -> None:
        self.request = request
        self.has_length = has_length
        self.priority = priority
        self.with_body: Request | None = None


class _PseudoFields:
    """The pseudo-fields of a request, as they come."""

    __slots__ = (
        "authority",
        "count",
        "fault",
        "media_type",
        "method",
        "path",
        "protocol",
        "scheme",
        "size",
    )

    def __init__(self) -> None:
        self.media_type = b""
        """The Content-Type among the other fields of a request that is refused."""

        self.method = b""
        self.scheme = b""
        self.path = b""
        self.authority = b""
        self.protocol = b""
        self.size = 0
        self.count = 0
        self.fault = ""

    def add(self, name: bytes, value: bytes) -> None:
        self.size += len(name) + len(value) + ENTRY_OVERHEAD
        self.count += 1
        earlier = b""
        if name == b":method":
            earlier, self.method = self.method, value
        elif name == b":path":
            earlier, self.path = self.path, value
        elif name == b":scheme":
            earlier, self.scheme = self.scheme, value
        elif name == b":authority":
            earlier, self.authority = self.authority, value
        elif name == b":protocol":
            earlier, self.protocol = self.protocol, value
        else:
            self.fault = "The request has an unknown pseudo-field."
        if earlier or not value:
            self.fault = "The request has a pseudo-field that is empty, or there twice."

    def checked_method(self) -> bytes:
        """
        :return: the method that HTTP/1.1 would have: GET for a WebSocket (RFC 8441).
        :raises RequestError: if there is no valid one, or any pseudo-field is at fault.
        """
        if self.fault:
            raise RequestError(self.fault)
        if _METHOD.fullmatch(self.method) is None:
            raise RequestError("The request has no valid method.")
        if self.method == b"CONNECT" and self.protocol:
            if self.protocol.lower() != b"websocket":
                raise MethodUnknown("The protocol of the tunnel is unknown.")
            self.method = b"GET"
        elif self.protocol:
            raise RequestError("The request has a protocol without CONNECT.")
        return self.method

    def check(self, host: bytes | None) -> None:
        """:param host: the Host field, if there is one."""
        if self.fault:
            raise RequestError(self.fault)
        if self.scheme.lower() not in _SCHEMES or not self.path:
            raise RequestError("The request lacks a pseudo-field, or has an unknown scheme.")
        if host is not None and self.authority and host.lower() != self.authority.lower():
            raise RequestError("The authority of the target differs from the Host field.")


_NONE: Final = _PseudoFields()


class RequestHeads:
    """Reads the heads of the requests of one connection, in order."""

    __slots__ = (
        "_last",
        "_limits",
        "_pseudo",
        "_reader",
        "_tails",
        "_version",
        "_whole",
        "_whole_version",
        "has_length",
        "priority",
    )

    def __init__(self, reader: BlockReader) -> None:
        self.has_length = False
        """Whether the last request has a Content-Length."""

        self.priority: Priority | None = None
        """The priority of the last request; None without the field."""

        self._reader = reader
        self._tails: dict[bytes, Tail] = {}
        self._version = 0
        """The version of the dynamic table that `_tails` are valid for."""

        self._whole: dict[bytes, _Whole] = {}
        """Requests by their blocks, valid for `_whole_version` and `_limits`."""

        self._whole_version = 0
        self._last: _Whole | None = None
        """What the last request is kept as."""

        self._limits: Limits | None = None
        self._pseudo = _NONE

    def read(self, block: bytes, limits: Limits) -> Request:
        """
        :param block: a field block, whole.
        :return: the request, which must not be changed: others may have the same block. Its
            `body_length` is 0 without a Content-Length, too.
        :raises CompressionFault: if the block cannot be decoded.
        :raises RequestError: or a subclass, if the request must be refused.
        """
        before = self._reader.decoder.version
        if before != self._whole_version or limits is not self._limits:
            self._whole_version, self._limits = before, limits
            self._whole.clear()
        else:
            whole = self._last = self._whole.get(block)
            if whole is not None:
                self.has_length, self.priority = whole.has_length, whole.priority
                return whole.request
        self._last = None
        request = self._read(block, limits)
        if self._reader.decoder.version == before and len(block) <= MAX_BLOCK:
            if len(self._whole) >= MAX_WHOLE:
                self._whole.clear()
            self._last = self._whole[block] = _Whole(request, self.has_length, self.priority)
        return request

    def with_body(self, request: Request) -> Request:
        """
        :param request: the last request, which has no Content-Length.
        :return: the same with a body, whose length is unknown. It must not be changed.
        """
        whole = self._last
        if whole is None:
            return request.with_body()
        if whole.with_body is None:
            whole.with_body = request.with_body()
        return whole.with_body

    def refused_line(self) -> bytes:
        """:return: what a request that was just refused would begin with in HTTP/1, for the log."""
        pseudo, self._pseudo = self._pseudo, _NONE
        line = b"%b %b HTTP/2.0" % (pseudo.method or b"-", pseudo.path or b"-")
        return line[:MAX_FIRST_LINE]

    def refused_type(self) -> bytes:
        """:return: its Content-Type, empty without one; called before `refused_line`."""
        return self._pseudo.media_type

    def _read(self, block: bytes, limits: Limits) -> Request:
        decoder = self._reader.decoder
        decoder.begin(block)
        pseudo = self._pseudo = _PseudoFields()
        tail: Tail | None = None
        name = b":"
        start = before = 0
        while not decoder.at_end():
            start, before = decoder.position, decoder.version
            name = decoder.take_field()
            if not name or name[0] != _COLON:
                break
            pseudo.add(name, decoder.value)
        if not name or name[0] != _COLON:
            # Equal bytes mean equal fields only if this field has not changed the table.
            if before == decoder.version:
                tail = self._find(block, start, before, pseudo.method)
            if tail is None:
                tail = self._read_tail(block, start, before, name, pseudo, limits)
        else:
            tail = Tail(pseudo.checked_method(), [], 0)
        decoder.let_go()
        try:
            return self._request(pseudo, tail, len(block), limits)
        except RequestError:
            pseudo.media_type = tail.kept.field(b"content-type") or b""
            raise

    def _find(self, block: bytes, start: int, version: int, method: bytes) -> Tail | None:
        if version != self._version:
            self._version = version
            self._tails.clear()
            return None
        tail = self._tails.get(block[start:])
        return tail if tail is not None and tail.kept.method == method else None

    def _read_tail(
        self,
        block: bytes,
        start: int,
        before: int,
        name: bytes,
        pseudo: _PseudoFields,
        limits: Limits,
    ) -> Tail:
        """Decode the fields behind the pseudo-fields, of which the first one has been taken."""
        reader = self._reader
        fields = reader.read_rest(name, limits.head_size, limits.head_fields)
        try:
            if reader.is_too_large:
                raise HeadTooLarge("The head is too large.")
            tail = Tail(pseudo.checked_method(), fields, reader.size)
        except RequestError:
            types = [value for name, value in fields if name == b"content-type"]
            pseudo.media_type = types[0] if types else reader.late_type
            raise
        length = len(block) - start
        if reader.decoder.version == before == self._version and length <= MAX_TAIL:
            if len(self._tails) >= MAX_TAILS:
                self._tails.clear()
            self._tails[block[start:]] = tail
        return tail

    def _request(self, pseudo: _PseudoFields, tail: Tail, length: int, limits: Limits) -> Request:
        if (
            pseudo.size + tail.size > limits.head_size
            or pseudo.count + tail.count > limits.head_fields
        ):
            raise HeadTooLarge("The head is too large.")
        pseudo.check(tail.host)
        authority = pseudo.authority or tail.host or b""
        request = aim_request(tail.kept, pseudo.path, authority, limits)
        request.length = length
        request.wants_websocket = bool(pseudo.protocol)
        self.has_length = tail.has_length
        self.priority = tail.priority
        return request
