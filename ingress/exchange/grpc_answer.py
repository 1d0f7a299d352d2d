"""
Answers of the proxy's own in the form that gRPC has for them: a status of gRPC, and no body.

Source of the rules: gRPC's "PROTOCOL-HTTP2" and "HTTP to gRPC status code mapping".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import quote

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.message import Request

_TYPE: Final = b"application/grpc"
_UNKNOWN: Final = 2
_RESOURCE_EXHAUSTED: Final = 8
_STATUSES: Final = {
    400: 13,
    401: 16,
    403: 7,
    404: 12,
    408: 14,
    413: _RESOURCE_EXHAUSTED,
    431: 13,
    502: 14,
    503: 14,
    504: 14,
}
_MISDIRECTED: Final = 421
"""RFC 9110 section 15.5.20: the client is to try again on another connection, which gRPC does."""

_MAX_MESSAGE: Final = 1024


def is_grpc(request: Request) -> bool:
    """:return: whether a request is one of gRPC over HTTP/2; gRPC-Web is not."""
    return request.is_http_2 and is_grpc_type(request.field(b"content-type") or b"")


def is_grpc_type(media_type: bytes) -> bool:
    """:return: whether this media type is gRPC's; that of gRPC-Web is another one."""
    return media_type[:16] == _TYPE and media_type[16:17] in (b"", b"+", b";")


def grpc_answer(answer: Answer, request: Request) -> Answer:
    """
    :return: the answer as a gRPC client understands it; the same for all other clients.
    """
    if answer.status == _MISDIRECTED or not is_grpc(request):
        return answer
    return as_grpc(answer)


def as_grpc(answer: Answer) -> Answer:
    """:return: the answer to a request of gRPC."""
    status = _STATUSES.get(answer.status, _UNKNOWN)
    if answer.outcome is Outcome.LIMITED:
        status = _RESOURCE_EXHAUSTED
    message = answer.detail
    places = [value for name, value in answer.fields if name.lower() == b"location"]
    if places:
        message = f"{message} It is at {places[0].decode('latin-1')}"
    kept = tuple(pair for pair in answer.fields if pair[0].lower() != b"location")
    fields = (
        (b"Content-Type", _TYPE),
        (b"grpc-status", b"%d" % status),
        (b"grpc-message", quote(message[:_MAX_MESSAGE], safe=_SAFE).encode("ascii")),
    )
    return replace(answer, status=200, fields=(*fields, *kept), has_body=False, page=None)


_SAFE: Final = " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""What needs no escape in a grpc-message: printable ASCII without the percent sign."""
