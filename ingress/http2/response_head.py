"""
The heads of responses in HTTP/2: field blocks in, responses out (RFC 9113 section 8.3.2).

As with requests, what is not special to HTTP/2 is checked by the code of HTTP/1.1.
"""

from __future__ import annotations

from typing import Final

from ingress.config import Limits
from ingress.errors import ResponseError
from ingress.http1.response_head import parse_response_head
from ingress.http2.field_check import BlockReader, as_lines, check_field
from ingress.message import Response

_STATUS: Final = b":status"
MAX_KEPT: Final = 8
MAX_KEPT_BLOCK: Final = 1024
"""How many blocks a connection keeps with their responses, and how long they may be."""


class ResponseHeads:
    """Reads the heads of the responses of one connection, in order."""

    __slots__ = ("_kept", "_reader", "_version")

    def __init__(self, reader: BlockReader) -> None:
        self._reader = reader
        self._kept: dict[bytes, Response] = {}
        self._version = 0
        """The version of the dynamic table that `_kept` is valid for."""

    def read(self, block: bytes, limits: Limits, *, is_of_head: bool) -> Response:
        """
        :param block: a field block, whole.
        :param is_of_head: whether the request's method is HEAD.
        :return: the response. Its `body_length` is None without a Content-Length.
        :raises CompressionFault: if the block cannot be decoded.
        :raises ResponseError: if the head is malformed or too large.
        """
        decoder = self._reader.decoder
        before = decoder.version
        if before == self._version and not is_of_head:
            kept = self._kept.get(block)
            if kept is not None:
                return kept
        decoder.begin(block)
        if decoder.at_end():
            raise ResponseError("The response has no status.")
        name = decoder.take_field()
        fields = self._reader.read_rest(name, limits.head_size, limits.head_fields)
        decoder.let_go()
        if self._reader.is_too_large:
            raise ResponseError("The head of the response is too large.")
        response = _response(fields, limits, is_of_head)
        if decoder.version == before and not is_of_head and len(block) <= MAX_KEPT_BLOCK:
            if before != self._version or len(self._kept) >= MAX_KEPT:
                self._version = before
                self._kept.clear()
            self._kept[block] = response
        return response


def _response(fields: list[tuple[bytes, bytes]], limits: Limits, is_of_head: bool) -> Response:
    status = fields[0][1]
    if fields[0][0] != _STATUS or len(status) != 3 or not status.isdigit() or status == b"101":
        raise ResponseError("The response has no valid status.")
    plain = fields[1:]
    for name, value in plain:
        # This refuses further pseudo-fields, whose names are no tokens.
        check_field(name, value, ResponseError)
    head = b"HTTP/1.1 %b \r\n%b" % (status, as_lines(plain))
    response, _ = parse_response_head(head, b"HEAD" if is_of_head else b"GET", limits)
    return response
