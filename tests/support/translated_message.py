"""
Messages of HTTP/1.1 as those of HTTP/2 and back, piece by piece, for tests that speak HTTP/1.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ingress.errors import RequestError
from ingress.http1.body import BodyDecoder, ChunkedBody, LengthBody, UntilCloseBody
from tests.support.wire import Message

OF_CONNECTION = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"host", b"upgrade", b"proxy-connection"}
)

Pairs = Sequence[tuple[bytes, bytes]]


def body_of(message: Message, *, until_close: bool = False) -> BodyDecoder:
    """
    :param until_close: whether a body without a length ends with the connection.
    :return: the decoder of a message's body.
    """
    if message.values(b"transfer-encoding"):
        return ChunkedBody(RequestError)
    if lengths := message.values(b"content-length"):
        return LengthBody(int(lengths[0]))
    return UntilCloseBody() if until_close else BodyDecoder()


def kept_fields(message: Message) -> list[tuple[bytes, bytes]]:
    """:return: the fields that HTTP/2 has as well."""
    return [
        (name.lower(), value) for name, value in message.fields if name.lower() not in OF_CONNECTION
    ]


class ToldMessage:
    """
    Writes a message of HTTP/2 as HTTP/1.1 has it, as far as it has come.

    :param first_line: of the message.
    :param fields: without pseudo-fields.
    :param has_body: whether there is a body, or may be one.
    """

    def __init__(self, first_line: bytes, fields: Pairs, *, has_body: bool) -> None:
        self._told = 0
        self._is_over = False
        names = {name for name, _ in fields}
        self._is_chunked = has_body and b"content-length" not in names
        lines = [first_line, *(b"%b: %b" % (name.title(), value) for name, value in fields)]
        if self._is_chunked:
            lines.append(b"Transfer-Encoding: chunked")
        self._head = b"\r\n".join(lines) + b"\r\n\r\n"

    def take(
        self, body: bytes, *, is_whole: bool, trailers: Iterable[tuple[bytes, bytes]]
    ) -> bytes:
        """
        :param body: all that has come of the body.
        :return: what has not been told yet.
        """
        told, self._head = self._head, b""
        piece, self._told = body[self._told :], len(body)
        if not self._is_chunked:
            return told + piece
        if piece:
            told += b"%x\r\n%b\r\n" % (len(piece), piece)
        if is_whole and not self._is_over:
            self._is_over = True
            lines = b"".join(b"%b: %b\r\n" % (name.title(), value) for name, value in trailers)
            told += b"0\r\n%b\r\n" % lines
        return told
