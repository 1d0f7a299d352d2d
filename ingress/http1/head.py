"""
The parts that the heads of HTTP/1.1 requests and responses have in common.

A head is fed to the parser only when it is complete and matches a strict grammar (RFC 9112
sections 3 to 5 without their tolerances): request smuggling needs two parsers that read one
head in different ways.

Most heads have been seen before: a client repeats its fields in each request, and an endpoint
in each response within one second. The result of parsing a head is kept for the next identical
one (the target of a request may differ). A refused head is parsed again each time
(docs/adr/0011-what-a-request-costs.md).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from ingress.config import Limits
from ingress.errors import RequestError, ResponseError
from ingress.http1.body import BodyDecoder
from ingress.http1.fault import MESSAGES
from ingress.message import NO_OPTIONS, Fields, Request, Response

HEAD_END: Final = b"\r\n\r\n"

DEFAULT_LIMITS: Final = Limits()

# Possessive quantifiers follow sets of characters only, as in `ingress.http1.body`.
TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
# No control characters, no line folding, nothing between name and colon.
FIELD_LINES: Final = rb"(?:" + TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n)*\r\n"
# No leading zeros, although the grammar allows them: some parsers read them as octal.
_CONTENT_LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,17}")

MAX_KEPT: Final = 2048
"""The longest head that is kept for the next one like it; browsers send 600 to 1,500 bytes."""

MAX_KEPT_FIELDS: Final = 48
"""
The most fields of a head that is kept: each takes 200 bytes in addition to its own, which can be
as few as four.
"""

KEPT_HEADS: Final = 512
"""
How many heads of each kind are kept, the most recently seen ones. With everything derived from
them they take about 3 MiB for either kind, and 16 MiB at most, whatever peers send.
"""

EMPTY_BODY: Final = BodyDecoder()

_MAX_CACHED: Final = 64
"""
The longest value that a cache keeps: clients could otherwise fill it with values as long as a
head.
"""

_FRAMING_FIELDS: Final = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"connection", b"te"}
)


class FieldCollector:
    """Collects the fields of one head from llhttp's callbacks."""

    __slots__ = ("fields", "reason")

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes, bytes]] = []
        self.reason = b""

    def on_status(self, status: bytes) -> None:
        self.reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), name, value.rstrip(b" \t")))


class Framing:
    """The fields that say where a message ends and whether its connection is kept."""

    __slots__ = ("content_length", "hosts", "options", "takes_trailers", "transfer_encodings")

    def __init__(self, fields: Fields, error: type[RequestError] | type[ResponseError]) -> None:
        lengths: list[bytes] = []
        options: list[bytes] = []
        self.hosts: list[bytes] = []
        self.transfer_encodings: list[bytes] = []
        self.takes_trailers = False
        for key, _, value in fields:
            if key in _FRAMING_FIELDS:
                if key == b"host":
                    self.hosts.append(value)
                elif key == b"content-length":
                    lengths.append(value)
                elif key == b"transfer-encoding":
                    self.transfer_encodings.append(value.lower())
                elif key == b"te":
                    self.takes_trailers |= b"trailers" in _split_options(value)
                else:
                    options.append(value)
        self.options = _connection_options(b",".join(options)) if options else NO_OPTIONS
        self.content_length: int | None = None
        if lengths:
            if len(lengths) > 1:
                raise error(f"The {MESSAGES[error]} has more than one Content-Length.")
            if not _CONTENT_LENGTH.fullmatch(lengths[0]):
                raise error(f"The Content-Length of the {MESSAGES[error]} is not a plain number.")
            if self.transfer_encodings:
                raise error(f"The {MESSAGES[error]} has Content-Length and Transfer-Encoding.")
            self.content_length = int(lengths[0])
        if self.transfer_encodings and self.transfer_encodings != [b"chunked"]:
            raise error(f"The {MESSAGES[error]} has a transfer coding other than chunked alone.")


def split_fields(lines: bytes) -> Fields:
    """
    Split a head that the parser refused, to find out why.

    :param lines: the field lines, which match `FIELD_LINES`.
    """
    fields: list[tuple[bytes, bytes, bytes]] = []
    for line in lines.split(b"\r\n"):
        name, _, value = line.partition(b":")
        fields.append((name.lower(), name, value.strip(b" \t")))
    return fields


def _connection_options(value: bytes) -> frozenset[bytes]:
    if len(value) <= _MAX_CACHED:
        return _short_connection_options(value)
    return _split_options(value)


@lru_cache(maxsize=256)
def _short_connection_options(value: bytes) -> frozenset[bytes]:
    return _split_options(value)


def _split_options(value: bytes) -> frozenset[bytes]:
    return frozenset(option.strip(b" \t").lower() for option in value.split(b",")) - {b""}


def find_head_end(data: bytes, checked: int) -> int:
    """
    :param data: the beginning of a message.
    :param checked: how many bytes of it are known not to have the end of its head.
    :return: the index behind the empty line that ends its head; -1 without one.
    """
    # It may have begun in the last three of these bytes.
    found = data.find(HEAD_END, checked - 3 if checked > 3 else 0)
    return found + len(HEAD_END) if found >= 0 else -1


def has_bare_line_end(data: bytes, checked: int = 0) -> bool:
    """
    Return whether there is a CR or LF that is not, and can no longer become, half of a CRLF.

    :param checked: how many bytes at the beginning are known to have none. They are not checked
        again: each byte of a long head that comes byte by byte would cost 0.2 ms.
    """
    start = checked - data.endswith(b"\r", 0, checked)
    line_ends = data.count(b"\r\n", start)
    returns = data.count(b"\r", start) - data.endswith(b"\r")
    return data.count(b"\n", start) != line_ends or returns != line_ends


def is_websocket(message: Request | Response) -> bool:
    """Return whether a message asks for a WebSocket, or agrees to one, and to nothing else."""
    protocols = [value.lower() for key, _, value in message.fields if key == b"upgrade"]
    return b"upgrade" in message.connection_options and protocols == [b"websocket"]


def keeps_connection(options: frozenset[bytes], *, is_http_10: bool) -> bool:
    """Return whether the connection persists (RFC 9112 section 9.3)."""
    return b"close" not in options and (not is_http_10 or b"keep-alive" in options)
