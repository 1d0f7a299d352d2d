"""
Encodes messages of HTTP/1.1: values in, bytes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ingress.encoded_fields import EncodedFields
from ingress.http1.body import LAST_CHUNK, Trailers, encode_chunk, encode_last_chunk
from ingress.message import UpstreamRequest

_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
_UPGRADE: Final = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
_TAKES_TRAILERS: Final = b"Connection: TE\r\nTE: trailers\r\n"


class ResponseEncoder:
    """
    Encodes the responses of one connection, one after the other.

    Encoded bytes are kept until `take`, so that a small response is one write.
    """

    __slots__ = ("_is_chunked", "_out", "ends_with_connection")

    def __init__(self) -> None:
        self.ends_with_connection = False
        """Whether the body ends with the connection."""

        self._out: list[bytes] = []
        self._is_chunked = False

    def interim(self, status: int, reason: bytes, fields: Sequence[tuple[bytes, bytes]]) -> None:
        """Encode a 1xx response; the final one follows."""
        self._out.append(_head(status, reason, fields, b""))

    def head(
        self,
        status: int,
        reason: bytes,
        fields: Sequence[tuple[bytes, bytes]],
        body_length: int | None,
        *,
        is_http_10: bool,
        closes: bool,
    ) -> None:
        """
        Encode the head of a final response.

        :param fields: the fields, without those of the connection.
        :param body_length: the length in bytes; None if only `end` marks the end.
        :param is_http_10: whether the client uses HTTP/1.0, which has no chunks.
        :param closes: whether the connection ends with this response.
        """
        self._is_chunked = body_length is None and not is_http_10
        self.ends_with_connection = body_length is None and is_http_10
        ours = _CHUNKED if self._is_chunked else b""
        if closes:
            ours += b"Connection: close\r\n"
        elif is_http_10:
            ours += b"Connection: keep-alive\r\n"
        self._out.append(_head(status, reason, fields, ours))

    def body(self, data: bytes) -> None:
        """Encode some of the body; `data` is never empty."""
        self._out.append(encode_chunk(data) if self._is_chunked else data)

    def end(self, trailers: Trailers = ()) -> bytes:
        """
        Encode the end of the response.

        :param trailers: trailers for a client that accepts them; without chunks they are dropped.
        :return: everything since the last `take`.
        """
        if self._is_chunked:
            self._out.append(encode_last_chunk(trailers) if trailers else LAST_CHUNK)
            self._is_chunked = False
        return self.take()

    def switched(self, fields: Sequence[tuple[bytes, bytes]]) -> None:
        """Encode a 101 response: the connection becomes a tunnel (RFC 9110 section 15.2.2)."""
        self._out.append(_head(101, b"Switching Protocols", fields, _UPGRADE))

    def take(self) -> bytes:
        """Return everything that has been encoded since the last call."""
        out = self._out
        if not out:
            return b""
        self._out = []
        if len(out) == 2:
            # Mostly a head and a body.
            return out[0] + out[1]
        return out[0] if len(out) == 1 else b"".join(out)


def encode_request_head(request: UpstreamRequest) -> bytes:
    """
    Encode the head of a request for an endpoint.

    Host comes first, as RFC 9110 section 7.2 would have it; then the client's other fields, what
    frames the message, and the proxy's own fields.
    """
    fields, framing = request.fields, request.request
    lines = fields.http1
    if lines is None:
        lines = fields.http1 = _encode(fields)
    ours = b""
    if framing.body_length is None:
        ours = _CHUNKED
    if framing.wants_websocket:
        ours += _UPGRADE
    else:
        if framing.takes_trailers:
            ours += _TAKES_TRAILERS
        if request.connection:
            ours += b"Connection: %b\r\n" % request.connection
    # A form that is written here is compiled to a few copies of memory.
    if not request.request_id:
        return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b%b%b\r\n" % (
            request.method,
            request.target,
            request.authority,
            lines,
            ours,
            request.forwarded,
        )
    return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b%bX-Request-ID: %b\r\n%b\r\n" % (
        request.method,
        request.target,
        request.authority,
        lines,
        ours,
        request.request_id,
        request.forwarded,
    )


def _head(status: int, reason: bytes, fields: Sequence[tuple[bytes, bytes]], ours: bytes) -> bytes:
    if type(fields) is not EncodedFields:
        return b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (status, reason, _encode(fields), ours)
    head = fields.http1_head
    if head is None:
        head = b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, reason, _encode(fields))
        fields.http1_head = head
    return b"%b%b\r\n" % (head[:-2], ours) if ours else head


def _encode(fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % field for field in fields])
