"""
The heads of HTTP/1.1 messages: checked whole, then taken apart by llhttp.

A head is fed to the parser only when it is complete and fits a strict grammar
(RFC 9112 sections 3 to 5 without their tolerances): two readings of a head that
differ are what request smuggling is made of.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address

import httptools

from ingress.config import Limits
from ingress.errors import HeadTooLarge, MethodUnknown, RequestError, ResponseError, TargetTooLong
from ingress.http1.body import (
    BodyDecoder,
    ChunkedBody,
    EmptyBody,
    LengthBody,
    UntilCloseBody,
)
from ingress.message import Fields, Request, Response
from ingress.routing.path import canonical_path

HEAD_END = b"\r\n\r\n"

DEFAULT_LIMITS = Limits()

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
# No control character, no obs-fold, nothing between name and colon.
_FIELD_LINES = rb"(?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n)*+\r\n"
_REQUEST_HEAD = re.compile(
    rb"(" + _TOKEN + rb") ([\x21\x22\x24-\x7e]++) HTTP/1\.([01])\r\n" + _FIELD_LINES
)
_RESPONSE_HEAD = re.compile(
    rb"HTTP/1\.([01]) [1-9][0-9][0-9](?: [\t\x20-\x7e\x80-\xff]*+)?\r\n" + _FIELD_LINES
)
_EMPTY_LINES = re.compile(rb"(?:\r\n)++")
_VERSIONS = (b" HTTP/1.1", b" HTTP/1.0")
_FIRST_BYTE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z\r]")
# No zero in front, though the grammar has it: there are parsers that read it as octal.
_CONTENT_LENGTH = re.compile(rb"0|[1-9][0-9]{0,17}")
_HOST = re.compile(
    rb"([A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]++)*+\.?|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{0,5}))?"
)
_ABSOLUTE_FORM = re.compile(rb"https?://([^/?]+)(.*)", re.IGNORECASE | re.DOTALL)

_MAX_HOST = 255
"""Bytes of a name (RFC 1035 section 2.3.4)."""

_AROUND_TARGET = 32
"""Bytes of a request line besides its target: method and version, and blanks."""

_MAX_CACHED = 64
"""
Bytes of a value that a cache keeps. What clients send can be as long as a head,
and a cache full of it would be theirs to fill.
"""

_METHODS_OF_OTHERS = frozenset(
    b"ANNOUNCE DESCRIBE FLUSH GET_PARAMETER PAUSE PLAY PRI RECORD REDIRECT SET_PARAMETER SETUP "
    b"TEARDOWN".split()
)
"""
Methods of RTSP, and that of HTTP/2's preface: llhttp knows them, and minds that the
rest of the request line is HTTP/1.1. To us they are methods that nobody serves.
"""

_FRAMING_FIELDS = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"connection", b"te"}
)


class _Head:
    """What llhttp calls while it takes one head apart."""

    __slots__ = ("fields", "reason")

    def __init__(self) -> None:
        self.fields: Fields = []
        self.reason = b""

    def on_status(self, status: bytes) -> None:
        self.reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), name, value.rstrip(b" \t")))


class _Framing:
    """The fields that say where a message ends and whether its connection lives on."""

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
        self.options = _connection_options(b",".join(options)) if options else _NO_OPTIONS
        self.content_length: int | None = None
        if lengths:
            if len(lengths) > 1 or not _CONTENT_LENGTH.fullmatch(lengths[0]):
                raise error("The Content-Length is not one plain number.")
            if self.transfer_encodings:
                raise error("The head has both Content-Length and Transfer-Encoding.")
            self.content_length = int(lengths[0])
        if self.transfer_encodings and self.transfer_encodings != [b"chunked"]:
            raise error("The only transfer coding that is understood is chunked.")


_NO_OPTIONS: frozenset[bytes] = frozenset()


def _connection_options(value: bytes) -> frozenset[bytes]:
    if len(value) <= _MAX_CACHED:
        return _short_connection_options(value)
    return _split_options(value)


@lru_cache(maxsize=256)
def _short_connection_options(value: bytes) -> frozenset[bytes]:
    return _split_options(value)


def _split_options(value: bytes) -> frozenset[bytes]:
    return frozenset(option.strip(b" \t").lower() for option in value.split(b",")) - {b""}


def skip_empty_lines(data: bytes) -> bytes:
    """What follows the empty lines before a request, which RFC 9112 section 2.2 overlooks."""
    lines = _EMPTY_LINES.match(data)
    return data[lines.end() :] if lines is not None else data


def check_unfinished_request_head(data: bytes, limits: Limits = DEFAULT_LIMITS) -> None:
    """
    Refuse what can no longer become a head, before its end has come.

    Whoever sends something else than HTTP/1.1 may never send that end; and what
    is kept while waiting for it must be bounded.

    :param data: what has come of the head so far, without its end; not empty.
    :raises TargetTooLong: where the first line already is.
    :raises HeadTooLarge: where the whole already is.
    :raises RequestError: where it is no head.
    """
    line_end = data.find(b"\r\n")
    max_line = limits.target_size + _AROUND_TARGET
    if (line_end < 0 or line_end > max_line) and len(data) > max_line:
        raise TargetTooLong("The request target is too long.")
    if len(data) > limits.head_size:
        raise HeadTooLarge("The head is too large.")
    if (
        not _FIRST_BYTE.match(data)
        or _has_bare_line_end(data)
        or (line_end >= 0 and not data.endswith(_VERSIONS, 0, line_end))
    ):
        raise RequestError("The head is not that of an HTTP/1.1 request.")


def check_unfinished_response_head(data: bytes, limits: Limits = DEFAULT_LIMITS) -> None:
    """
    The same for what an endpoint sends.

    :raises ResponseError: where it is no head, or is too large.
    """
    if len(data) > limits.head_size:
        raise ResponseError("The endpoint sent too large a head.")
    if data[:7] != b"HTTP/1."[: len(data)] or _has_bare_line_end(data):
        raise ResponseError("The endpoint sent no HTTP/1.1 response.")


def _has_bare_line_end(data: bytes) -> bool:
    """Whether there is a CR or LF that no longer can be half of a CRLF."""
    line_ends = data.count(b"\r\n")
    returns = data.count(b"\r") - data.endswith(b"\r")
    return data.count(b"\n") != line_ends or returns != line_ends


def parse_request_head(data: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[Request, BodyDecoder]:
    """
    :param data: a whole head, from its request line to its empty line.
    :return: the request and the decoder of the body that follows it.
    :raises RequestError: or one of its kinds, where the head must be refused.
    """
    match = _REQUEST_HEAD.fullmatch(data)
    if match is None:
        raise RequestError("The head is not that of an HTTP/1.1 request.")
    if len(match[2]) > limits.target_size:
        raise TargetTooLong("The request target is too long.")
    if len(data) > limits.head_size:
        raise HeadTooLarge("The head is too large.")
    method = match[1]
    head = _Head()
    parser = httptools.HttpRequestParser(head)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        # Whether it is one to switch protocols is for the exchange to say.
        pass
    except httptools.HttpParserInvalidMethodError as error:
        raise MethodUnknown("The method is not known here.") from error
    except httptools.HttpParserError as error:
        if method in _METHODS_OF_OTHERS:
            raise MethodUnknown("The method is not known here.") from error
        raise RequestError("The head is not that of an HTTP/1.1 request.") from error
    if len(head.fields) > limits.head_fields:
        raise HeadTooLarge("The head has too many fields.")
    return _request(method, match[2], head.fields, is_http_10=match[3] == b"0")


def _request(
    method: bytes, target: bytes, fields: Fields, *, is_http_10: bool
) -> tuple[Request, BodyDecoder]:
    framing = _Framing(fields, RequestError)
    if len(framing.hosts) > 1 or (not framing.hosts and not is_http_10):
        raise RequestError("The head needs exactly one Host field.")
    if framing.transfer_encodings and is_http_10:
        raise RequestError("HTTP/1.0 has no transfer codings.")
    authority = framing.hosts[0] if framing.hosts else b""
    target = _origin_form(method, target, authority)
    options = framing.options
    body: BodyDecoder
    if framing.transfer_encodings:
        body = ChunkedBody(RequestError)
    elif framing.content_length:
        body = LengthBody(framing.content_length)
    else:
        body = EMPTY_BODY
    request = Request(
        method=method,
        target=target,
        path=b"/" if target == b"*" else canonical_path(target.partition(b"?")[0]),
        authority=authority,
        host=_normal_host(authority) if authority or not is_http_10 else b"",
        fields=fields,
        body_length=None if framing.transfer_encodings else framing.content_length or 0,
        connection_options=options,
        is_http_10=is_http_10,
        keep_alive=_keeps_connection(options, is_http_10=is_http_10),
        takes_trailers=framing.takes_trailers and not is_http_10,
    )
    if b"upgrade" in options:
        request.wants_websocket = _wants_websocket(request)
    return request, body


def _wants_websocket(request: Request) -> bool:
    """RFC 6455 section 4.1. With a body it would be an ordinary request for some endpoints."""
    return (
        request.method == b"GET"
        and not request.is_http_10
        and not request.has_body
        and is_websocket(request)
    )


def is_websocket(message: Request | Response) -> bool:
    """Whether it asks for a WebSocket, or agrees to one, and to nothing else."""
    protocols = [value.lower() for key, _, value in message.fields if key == b"upgrade"]
    return b"upgrade" in message.connection_options and protocols == [b"websocket"]


def _origin_form(method: bytes, target: bytes, authority: bytes) -> bytes:
    """What goes upstream for a target of any form (RFC 9112 section 3.2)."""
    if method == b"CONNECT":
        # It asks for a tunnel to anywhere: not what a reverse proxy is for.
        raise RequestError("Tunnels are not served here.")
    if target.startswith(b"/"):
        return target
    if target == b"*" and method == b"OPTIONS":
        return target
    absolute = _ABSOLUTE_FORM.fullmatch(target)
    if absolute is None:
        raise RequestError("The request target is of no form that is served here.")
    # Stricter than section 3.2.2, which lets the target win over Host: whoever in
    # front of us looked at Host alone would have seen another site.
    if absolute[1].lower() != authority.lower():
        raise RequestError("The authority of the target differs from the Host field.")
    rest = absolute[2]
    if not rest:
        return b"*" if method == b"OPTIONS" else b"/"
    return rest if rest.startswith(b"/") else b"/" + rest


@lru_cache(maxsize=4096)
def _normal_host(authority: bytes) -> bytes:
    """In lower case, without port and trailing dot; every connection repeats a few."""
    match = _HOST.fullmatch(authority)
    if (
        match is None
        or len(match[1]) > _MAX_HOST
        or (match[2] and int(match[2]) > 65535)
        or (match[1].startswith(b"[") and not _is_ipv6_address(match[1][1:-1]))
    ):
        raise RequestError("The Host field names no host.")
    return match[1].lower().removesuffix(b".")


def _is_ipv6_address(text: bytes) -> bool:
    try:
        IPv6Address(text.decode("ascii"))
    except ValueError:
        return False
    return True


def _keeps_connection(options: frozenset[bytes], *, is_http_10: bool) -> bool:
    """RFC 9112 section 9.3."""
    return b"close" not in options and (not is_http_10 or b"keep-alive" in options)


def parse_response_head(
    data: bytes, request_method: bytes, limits: Limits = DEFAULT_LIMITS
) -> tuple[Response, BodyDecoder]:
    """
    :param data: a whole head, from its status line to its empty line.
    :param request_method: of the request that it answers: HEAD has no body.
    :return: the response and the decoder of the body that follows it.
    :raises ResponseError: where the head must not be believed.
    """
    match = _RESPONSE_HEAD.fullmatch(data)
    if match is None:
        raise ResponseError("The endpoint sent no HTTP/1.1 response.")
    if len(data) > limits.head_size:
        raise ResponseError("The endpoint sent too large a head.")
    head = _Head()
    parser = httptools.HttpResponseParser(head)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        raise ResponseError("The endpoint sent no HTTP/1.1 response.") from error
    if len(head.fields) > limits.head_fields:
        raise ResponseError("The endpoint sent too many fields.")
    status = parser.get_status_code()
    is_http_10 = match[1] == b"0"
    framing = _Framing(head.fields, ResponseError)
    length, body = _response_body(framing, status, request_method, is_http_10=is_http_10)
    keep_alive = _keeps_connection(framing.options, is_http_10=is_http_10)
    if isinstance(body, UntilCloseBody) or (
        # It must have no body; whoever announces one all the same may send it later.
        status == 204 and (framing.content_length or framing.transfer_encodings)
    ):
        keep_alive = False
    response = Response(
        status=status,
        reason=head.reason,
        fields=head.fields,
        body_length=length,
        connection_options=framing.options,
        keep_alive=keep_alive,
    )
    return response, body


def _response_body(
    framing: _Framing, status: int, request_method: bytes, *, is_http_10: bool
) -> tuple[int | None, BodyDecoder]:
    """RFC 9112 section 6.3: which body follows a response's head."""
    if request_method == b"HEAD" or status < 200 or status in (204, 304):
        return 0, EMPTY_BODY
    if framing.transfer_encodings:
        if is_http_10:
            raise ResponseError("The endpoint sent a transfer coding in HTTP/1.0.")
        return None, ChunkedBody(ResponseError)
    if framing.content_length is not None:
        length = framing.content_length
        return length, LengthBody(length) if length else EMPTY_BODY
    return None, UntilCloseBody()


EMPTY_BODY = EmptyBody()
