"""
The heads of requests to endpoints in HTTP/2: values in, field blocks out (RFC 9113 section 8.3.1).
"""

from __future__ import annotations

from typing import Final

from ingress.http2.hpack_encoder import (
    encode_field,
    encode_fields,
    encode_name,
    encode_plain_string,
)
from ingress.message import UpstreamRequest
from ingress.recent_values import RecentValues

MAX_KEPT: Final = 512
"""
The longest head and the longest forwarded fields that are kept encoded, in bytes: clients choose
some of them.
"""

MAX_HEADS: Final = 8
"""How many heads are kept with the same fields: for the methods of a service of gRPC."""

MAX_ALL_HEADS: Final = 2048
"""
How many heads are added before those are dropped that were added as many before: clients choose
fields as well, and a connection can hold several sets of them.
"""

_TE: Final = encode_field(b"te", b"trailers")
_SCHEMES: Final = (encode_field(b":scheme", b"http"), encode_field(b":scheme", b"https"))
_ID: Final = encode_name(b"x-request-id")
_forwarded: Final[RecentValues[bytes, bytes]] = RecentValues(1024)


class _KnownHead:
    """
    The encoded part of a request's head that another one may have as well: all but its id and its
    forwarded fields.

    It is known by its target and its fields, and valid if the rest is the same.
    """

    __slots__ = ("authority", "block", "is_secure", "method", "takes_trailers")

    def __init__(self, request: UpstreamRequest, *, is_secure: bool) -> None:
        self.method = request.method
        self.authority = request.authority
        self.takes_trailers = request.request.takes_trailers
        self.is_secure = is_secure
        self.block = (
            encode_field(b":method", request.method)
            + _SCHEMES[is_secure]
            + encode_field(b":authority", request.authority)
            + encode_field(b":path", request.target)
            + encode_fields(request.fields)
            + (_TE if self.takes_trailers else b"")
        )

    def is_of(self, request: UpstreamRequest, is_secure: bool) -> bool:
        return (
            self.authority == request.authority
            and self.method == request.method
            and self.takes_trailers == request.request.takes_trailers
            and self.is_secure == is_secure
        )


class _KeptHeads:
    """Which sets of fields have got a head of late; a set is named as often as it has got one."""

    __slots__ = ("_former", "_recent")

    def __init__(self) -> None:
        self._recent: list[dict[bytes, object]] = []
        self._former: list[dict[bytes, object]] = []

    def added_to(self, heads: dict[bytes, object]) -> None:
        self._recent.append(heads)
        if len(self._recent) >= MAX_ALL_HEADS:
            for each in self._former:
                each.clear()
            self._former = self._recent
            self._recent = []


_kept: Final = _KeptHeads()


def encode_request(request: UpstreamRequest, *, is_secure: bool) -> bytes:
    """
    :param is_secure: whether the connection uses TLS.
    :return: the field block of a request's head.
    """
    heads = request.fields.heads
    if heads is None:
        heads = request.fields.heads = {}
    known = heads.get(request.target)
    if not isinstance(known, _KnownHead) or not known.is_of(request, is_secure):
        known = _KnownHead(request, is_secure=is_secure)
        if len(known.block) <= MAX_KEPT:
            if len(heads) >= MAX_HEADS:
                heads.clear()
            heads[request.target] = known
            _kept.added_to(heads)
    forwarded = request.forwarded
    lines = _forwarded.get(forwarded)
    if lines is None:
        lines = _encode_lines(forwarded)
        if len(forwarded) <= MAX_KEPT:
            _forwarded.put(forwarded, lines)
    if not request.request_id:
        return known.block + lines
    return b"%b%b%b%b" % (known.block, _ID, encode_plain_string(request.request_id), lines)


def _encode_lines(lines: bytes) -> bytes:
    """Encode fields that are written as lines of HTTP/1.1."""
    block = b""
    for line in lines.split(b"\r\n"):
        name, colon, value = line.partition(b": ")
        if colon:
            block += encode_field(name.lower(), value)
    return block
