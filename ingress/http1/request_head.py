"""
The heads of requests: checked whole, then taken apart by llhttp (`ingress.http1.head`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address

import httptools

from ingress.config import Limits
from ingress.errors import HeadTooLarge, MethodUnknown, RequestError, TargetTooLong
from ingress.http1.body import BodyDecoder, ChunkedBody, LengthBody
from ingress.http1.head import (
    DEFAULT_LIMITS,
    EMPTY_BODY,
    FIELD_LINES,
    KEPT_HEADS,
    MAX_KEPT,
    MAX_KEPT_FIELDS,
    TOKEN,
    FieldCollector,
    Framing,
    NotKept,
    has_bare_line_end,
    is_websocket,
    keeps_connection,
)
from ingress.message import Fields, Request
from ingress.routing.path import canonical_path

_REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([\x21\x22\x24-\x7e]++) HTTP/1\.[01]\r\n")
_BEHIND_TARGET = re.compile(rb" HTTP/1\.([01])\r\n" + FIELD_LINES)
_EMPTY_LINES = re.compile(rb"(?:\r\n)+")
_VERSIONS = (b" HTTP/1.1", b" HTTP/1.0")
_FIRST_BYTE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z\r]")
_HOST = re.compile(
    rb"([A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]++)*\.?|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{0,5}))?"
)
_ABSOLUTE_FORM = re.compile(rb"https?://([^/?]+)(.*)", re.IGNORECASE | re.DOTALL)

_MAX_HOST = 255
"""Bytes of a name (RFC 1035 section 2.3.4)."""

_AROUND_TARGET = 32
"""Bytes of a request line besides its target: method and version, and blanks."""

_METHODS_OF_OTHERS = frozenset(
    b"ANNOUNCE DESCRIBE FLUSH GET_PARAMETER PAUSE PLAY PRI RECORD REDIRECT SET_PARAMETER SETUP "
    b"TEARDOWN".split()
)
"""
Methods of RTSP, and that of HTTP/2's preface: llhttp knows them, and minds that the
rest of the request line is HTTP/1.1. To us they are methods that nobody serves.
"""


def skip_empty_lines(data: bytes) -> bytes:
    """What follows the empty lines before a request, which RFC 9112 section 2.2 overlooks."""
    lines = _EMPTY_LINES.match(data)
    return data[lines.end() :] if lines is not None else data


def check_unfinished_request_head(
    data: bytes, limits: Limits = DEFAULT_LIMITS, checked: int = 0
) -> None:
    """
    Refuse what can no longer become a head, before its end has come.

    Whoever sends something else than HTTP/1.1 may never send that end; and what
    is kept while waiting for it must be bounded.

    :param data: what has come of the head so far, without its end; not empty.
    :param checked: how many bytes of it had come when it passed the last time.
    :raises TargetTooLong: where the first line already is.
    :raises HeadTooLarge: where the whole already is.
    :raises RequestError: where it is no head.
    """
    # One byte is found much faster than two. A bare LF, of which there may be one, is no good.
    line_end = data.find(b"\n") - 1
    max_line = limits.target_size + _AROUND_TARGET
    if (line_end < 0 or line_end > max_line) and len(data) > max_line:
        raise TargetTooLong("The request target is too long.")
    if len(data) > limits.head_size:
        raise HeadTooLarge("The head is too large.")
    if (
        not _FIRST_BYTE.match(data)
        or has_bare_line_end(data, checked)
        or (line_end >= 0 and not data.endswith(_VERSIONS, 0, line_end))
    ):
        raise RequestError("The head is not that of an HTTP/1.1 request.")


def parse_request_head(data: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[Request, BodyDecoder]:
    """
    :param data: a whole head, from its request line to its empty line.
    :return: the request and the decoder of the body that follows it.
    :raises RequestError: or one of its kinds, where the head must be refused.
    """
    line = _REQUEST_LINE.match(data)
    if line is None:
        raise RequestError("The head is not that of an HTTP/1.1 request.")
    method, target = line.groups()
    if len(target) > limits.target_size:
        raise TargetTooLong("The request target is too long.")
    if len(data) > limits.head_size:
        raise HeadTooLarge("The head is too large.")
    rest = data[line.end(2) :]
    if len(rest) <= MAX_KEPT and target.startswith(b"/"):
        request = _request_like_others(method, target, rest)
    else:
        request = _parse_request(method, target, rest)
    # Host is none of them.
    if len(request.fields) >= limits.head_fields:
        raise HeadTooLarge("The head has too many fields.")
    request.length = len(data)
    length = request.body_length
    if length == 0:
        return request, EMPTY_BODY
    return request, ChunkedBody(RequestError) if length is None else LengthBody(length)


def _request_like_others(method: bytes, target: bytes, rest: bytes) -> Request:
    """
    A request that most likely has the fields of one before, to this host or another.

    Nothing but the path depends on a target in origin-form, and nothing but `authority`
    and `host` on a Host field whose value is good: so neither is part of what is kept.

    :param rest: what follows the target.
    """
    start = rest.find(b"\r\nHost: ")
    if start < 0:
        start = rest.find(b"\r\nhost: ")
    if start < 0:
        # It has none, which is for the other way to refuse, or one that is rarely written so.
        return _parse_request(method, target, rest)
    end = rest.find(b"\r\n", start + 8)
    authority = rest[start + 8 : end].strip(b" \t")
    try:
        kept = _kept_request(method, rest[:start] + rest[end:])
    except NotKept as refusal:
        kept = refusal.parsed
    return kept.aimed_at(
        target,
        canonical_path(target.partition(b"?")[0]),
        authority,
        _host_of(authority, is_http_10=kept.is_http_10),
    )


@lru_cache(maxsize=KEPT_HEADS)
def _kept_request(method: bytes, rest: bytes) -> Request:
    """
    :param rest: what follows the target, without the line of the Host field.
    :return: a request for ``/`` of some host, never changed.
    :raises NotKept: with what would be returned.
    """
    version = len(_VERSIONS[0])
    made = _parse_request(method, b"/", rest[:version] + b"\r\nHost: host" + rest[version:])
    if len(made.fields) > MAX_KEPT_FIELDS:
        raise NotKept(made)
    return made


def _parse_request(method: bytes, target: bytes, rest: bytes) -> Request:
    match = _BEHIND_TARGET.fullmatch(rest)
    if match is None:
        raise RequestError("The head is not that of an HTTP/1.1 request.")
    head = FieldCollector()
    parser = httptools.HttpRequestParser(head)
    try:
        parser.feed_data(b"%b %b%b" % (method, target, rest))
    except httptools.HttpParserUpgrade:
        # Whether it is one to switch protocols is for the exchange to say.
        pass
    except httptools.HttpParserInvalidMethodError as error:
        raise MethodUnknown("The method is not known here.") from error
    except httptools.HttpParserError as error:
        if method in _METHODS_OF_OTHERS:
            raise MethodUnknown("The method is not known here.") from error
        raise RequestError("The head is not that of an HTTP/1.1 request.") from error
    return _request(method, target, head.fields, is_http_10=match[1] == b"0")


def _request(method: bytes, target: bytes, fields: Fields, *, is_http_10: bool) -> Request:
    framing = Framing(fields, RequestError)
    hosts = framing.hosts
    if len(hosts) > 1 or (not hosts and not is_http_10):
        raise RequestError("The head needs exactly one Host field.")
    if framing.transfer_encodings and is_http_10:
        raise RequestError("HTTP/1.0 has no transfer codings.")
    authority = hosts[0] if hosts else b""
    target = _origin_form(method, target, authority)
    options = framing.options
    request = Request(
        method=method,
        target=target,
        path=b"/" if target == b"*" else canonical_path(target.partition(b"?")[0]),
        authority=authority,
        host=_host_of(authority, is_http_10=is_http_10),
        fields=[field for field in fields if field[0] != b"host"],
        body_length=None if framing.transfer_encodings else framing.content_length or 0,
        connection_options=options,
        is_http_10=is_http_10,
        keep_alive=keeps_connection(options, is_http_10=is_http_10),
        takes_trailers=framing.takes_trailers and not is_http_10,
    )
    if b"upgrade" in options:
        request.wants_websocket = _wants_websocket(request)
    return request


def _wants_websocket(request: Request) -> bool:
    """RFC 6455 section 4.1. With a body it would be an ordinary request for some endpoints."""
    return (
        request.method == b"GET"
        and not request.is_http_10
        and not request.has_body
        and is_websocket(request)
    )


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


def _host_of(authority: bytes, *, is_http_10: bool) -> bytes:
    """HTTP/1.0 may have none."""
    return _normal_host(authority) if authority or not is_http_10 else b""


@lru_cache(maxsize=16_384)
def _normal_host(authority: bytes) -> bytes:
    """
    In lower case, without port and trailing dot.

    As many are kept as a large cluster has hosts: 4 MiB, or 12 if somebody makes up long ones.
    """
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
