"""
The heads of requests: checked as a whole, then parsed by llhttp (`ingress.http1.head`).
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Final

import httptools

from ingress.config import Limits
from ingress.errors import HeadTooLarge, MethodUnknown, RequestError, TargetTooLong
from ingress.http1.body import BodyDecoder, ChunkedBody, LengthBody
from ingress.http1.fault import field_lines_fault
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
    has_bare_line_end,
    is_websocket,
    keeps_connection,
    split_fields,
)
from ingress.http1.known_requests import KNOWN
from ingress.message import Fields, Request
from ingress.recent_values import RecentValues
from ingress.routing.path import canonical_path

# Method, target, path, version, and the value of Host if that is the first field, which it nearly
# always is (RFC 9110 section 7.2), and has no blanks to be cut off.
_BEGIN: Final = re.compile(
    rb"("
    + TOKEN
    + rb") ((?! )([\x21\x22\x24-\x3e\x40-\x7e\x80-\xff]*+)[\x21\x22\x24-\x7e\x80-\xff]*+)"
    rb" HTTP/1\.([01])\r\n"
    rb"(?:[Hh]ost: ([\x21-\x7e]++)\r\n)?"
)
_TARGET: Final = re.compile(
    rb"([\x21\x22\x24-\x3e\x40-\x7e\x80-\xff]*+)[\x21\x22\x24-\x7e\x80-\xff]*+"
)
_FIELD_LINES: Final = re.compile(FIELD_LINES)
_EMPTY_LINES: Final = re.compile(rb"(?:\r\n)+")
_VERSIONS: Final = (b" HTTP/1.1", b" HTTP/1.0")
_FIRST_BYTE: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z\r]")
_HOST: Final = re.compile(
    rb"([A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]++)*\.?|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{0,5}))?"
)
_ABSOLUTE_FORM: Final = re.compile(rb"https?://([^/?]+)(.*)", re.IGNORECASE | re.DOTALL)

_MAX_HOST: Final = 255
"""The longest name in bytes (RFC 1035 section 2.3.4)."""

_HTTP_2: Final = b"2"
"""In the place of the minor version of HTTP/1, for requests of HTTP/2."""

_AROUND_TARGET: Final = 32
"""The most bytes of a request line beside its target: method, version and blanks."""

_METHODS_OF_OTHERS: Final = frozenset(
    b"ANNOUNCE DESCRIBE FLUSH GET_PARAMETER PAUSE PLAY PRI RECORD REDIRECT SET_PARAMETER SETUP "
    b"TEARDOWN".split()
)
"""
Methods of RTSP, and the one in HTTP/2's preface. llhttp knows them and refuses them in an
HTTP/1.1 request line; here they are unknown methods.
"""


_Head = tuple[bytes, bytes, bytes, bool]
_KEPT: Final[RecentValues[_Head, Request]] = RecentValues(KEPT_HEADS)
"""Requests by what `_kept_request` makes them of."""

_HOSTS: Final[RecentValues[bytes, bytes]] = RecentValues(16_384)
"""
Hosts by authority, as many as a large cluster has: 4 MiB, or 12 MiB if clients invent long ones.
"""


def skip_empty_lines(data: bytes) -> bytes:
    """Skip the empty lines before a request, which RFC 9112 section 2.2 says to ignore."""
    lines = _EMPTY_LINES.match(data)
    return data[lines.end() :] if lines is not None else data


def check_unfinished_request_head(
    data: bytes, limits: Limits = DEFAULT_LIMITS, checked: int = 0
) -> None:
    """
    Refuse bytes that can no longer become a head, before its end has come.

    A client that speaks another protocol may never send that end, and the bytes that are kept
    while waiting for it must be bounded.

    :param data: the beginning of a head, without its end; not empty.
    :param checked: how many bytes of it have passed this check before.
    :raises TargetTooLong: if the first line is already too long.
    :raises HeadTooLarge: if the head is already too large.
    :raises RequestError: if it cannot become a head.
    """
    # Finding one byte is much faster than finding two. If this LF is a bare one, the head is
    # refused anyway.
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
    :return: the request, which must not be changed, and the decoder of the body that follows it.
    :raises RequestError: or a subclass, if the head must be refused.
    """
    begin = _BEGIN.match(data)
    if begin is None:
        raise RequestError("The head is not that of an HTTP/1.1 request.")
    method, target, path, version, authority = begin.groups()
    if len(target) > limits.target_size:
        raise TargetTooLong("The request target is too long.")
    if len(data) > limits.head_size:
        raise HeadTooLarge("The head is too large.")
    lines = data[begin.end() :]
    if len(lines) <= MAX_KEPT and target.startswith(b"/"):
        # Only the path depends on a target in origin-form, and only `authority` and `host` depend
        # on a valid Host, so neither is part of what is kept.
        kept = _kept_request(method, version, lines, authority is None)
        host = kept.host
        if authority is None:
            authority = kept.authority
        else:
            host = _normal_host(authority)
        request = kept.aimed_at(target, canonical_path(path), authority, host)
    else:
        if authority is not None:
            lines = b"Host: %b\r\n%b" % (authority, lines)
        request = _parse_request(method, target, version, lines)
    # Host is not among them.
    if len(request.fields) >= limits.head_fields:
        raise HeadTooLarge("The head has too many fields.")
    request.length = len(data)
    length = request.body_length
    if length == 0:
        KNOWN.keep(data, limits, request)
        return request, EMPTY_BODY
    return request, ChunkedBody(RequestError) if length is None else LengthBody(length)


# The same checks for the requests of HTTP/2.


def parse_fields(method: bytes, lines: bytes) -> Request:
    """
    Check the fields of a request of HTTP/2.

    :param lines: the fields but for Host, as HTTP/1.1 would write them, with the empty line.
    :return: a request for ``/`` of some host, which must not be changed (`aim_request`).
    :raises RequestError: or a subclass, if the request must be refused.
    """
    if len(lines) > MAX_KEPT:
        return _parse_request(method, b"/", _HTTP_2, b"Host: host\r\n" + lines)
    return _kept_request(method, _HTTP_2, lines, False)


def aim_request(kept: Request, target: bytes, authority: bytes, limits: Limits) -> Request:
    """
    Check the target and the host of a request of HTTP/2.

    :param kept: the request without them, from `parse_fields`.
    :return: the whole request.
    :raises RequestError: or a subclass, if the request must be refused.
    """
    match = _TARGET.fullmatch(target)
    if match is None:
        raise RequestError("The request target has a form that is not supported.")
    if len(target) > limits.target_size:
        raise TargetTooLong("The request target is too long.")
    path = match[1]
    if not target.startswith(b"/"):
        if target != b"*" or kept.method != b"OPTIONS":
            raise RequestError("The request target has a form that is not supported.")
        path = b"/"
    return kept.aimed_at(target, canonical_path(path), authority, _normal_host(authority))


def _kept_request(method: bytes, version: bytes, lines: bytes, has_host: bool) -> Request:
    """
    :param lines: those of the fields.
    :param has_host: whether Host has to be among them; else it may not, and is that of some host.
    :return: a request for ``/``, never changed.
    """
    key = (method, version, lines, has_host)
    kept = _KEPT.get(key)
    if kept is None:
        kept = _parse_request(
            method, b"/", version, lines if has_host else b"Host: host\r\n" + lines
        )
        if len(kept.fields) <= MAX_KEPT_FIELDS:
            _KEPT.put(key, kept)
    return kept


def _parse_request(method: bytes, target: bytes, version: bytes, lines: bytes) -> Request:
    """
    :param version: the minor one of HTTP/1, or `_HTTP_2`.
    :param lines: those of the fields.
    """
    if _FIELD_LINES.fullmatch(lines) is None:
        raise RequestError(f"The request is malformed: {field_lines_fault(lines)}.")
    if method == b"CONNECT":
        # It asks for a tunnel to any host, which a reverse proxy does not offer.
        raise RequestError("CONNECT is not supported.")
    head = FieldCollector()
    parser = httptools.HttpRequestParser(head)
    try:
        # The target is left out: `_BEGIN` and `_origin_form` check it, and llhttp refuses raw bytes
        # from 0x80 in a query.
        minor = b"1" if version == _HTTP_2 else version
        parser.feed_data(b"%b / HTTP/1.%b\r\n%b" % (method, minor, lines))
    except httptools.HttpParserUpgrade:
        # The exchange decides whether to switch protocols.
        pass
    except httptools.HttpParserInvalidMethodError as error:
        raise MethodUnknown("The method is unknown.") from error
    except httptools.HttpParserError as error:
        if method in _METHODS_OF_OTHERS:
            raise MethodUnknown("The method is unknown.") from error
        Framing(split_fields(lines), RequestError)
        raise RequestError("The head is not that of an HTTP/1.1 request.") from error
    return _request(method, target, head.fields, version)


def _request(method: bytes, target: bytes, fields: Fields, version: bytes) -> Request:
    is_http_10 = version == b"0"
    framing = Framing(fields, RequestError)
    hosts = framing.hosts
    if len(hosts) > 1 or (not hosts and not is_http_10):
        raise RequestError("The request must have exactly one Host field.")
    if framing.transfer_encodings and is_http_10:
        raise RequestError("The request has a transfer coding in HTTP/1.0.")
    authority = hosts[0] if hosts else b""
    target = _origin_form(method, target, authority)
    options = framing.options
    request = Request(
        method=method,
        target=target,
        path=b"/" if target == b"*" else canonical_path(target.partition(b"?")[0]),
        authority=authority,
        host=_normal_host(authority) if authority or not is_http_10 else b"",
        fields=[field for field in fields if field[0] != b"host"],
        body_length=None if framing.transfer_encodings else framing.content_length or 0,
        connection_options=options,
        is_http_10=is_http_10,
        is_http_2=version == _HTTP_2,
        keep_alive=keeps_connection(options, is_http_10=is_http_10),
        takes_trailers=framing.takes_trailers and not is_http_10,
    )
    if b"upgrade" in options:
        request.wants_websocket = _wants_websocket(request)
    return request


def _wants_websocket(request: Request) -> bool:
    """RFC 6455 section 4.1. Some endpoints treat one with a body as an ordinary request."""
    return (
        request.method == b"GET"
        and not request.is_http_10
        and not request.has_body
        and is_websocket(request)
    )


def _origin_form(method: bytes, target: bytes, authority: bytes) -> bytes:
    """Return the target that goes upstream, for a target of any form (RFC 9112 section 3.2)."""
    if target.startswith(b"/"):
        return target
    if target == b"*" and method == b"OPTIONS":
        return target
    absolute = _ABSOLUTE_FORM.fullmatch(target)
    if absolute is None:
        raise RequestError("The request target has a form that is not supported.")
    # Stricter than section 3.2.2, which prefers the target to Host: a proxy in front of us that
    # reads only Host would have seen another site.
    if absolute[1].lower() != authority.lower():
        raise RequestError("The authority of the target differs from the Host field.")
    rest = absolute[2]
    if not rest:
        return b"*" if method == b"OPTIONS" else b"/"
    return rest if rest.startswith(b"/") else b"/" + rest


def _normal_host(authority: bytes) -> bytes:
    """Return the host in lower case, without port and trailing dot."""
    host = _HOSTS.get(authority)
    if host is None:
        host = _checked_host(authority)
        _HOSTS.put(authority, host)
    return host


def _checked_host(authority: bytes) -> bytes:
    match = _HOST.fullmatch(authority)
    if (
        match is None
        or len(match[1]) > _MAX_HOST
        or (match[2] and int(match[2]) > 65535)
        or (match[1].startswith(b"[") and not _is_ipv6_address(match[1][1:-1]))
    ):
        raise RequestError("The Host field is not a valid host.")
    return match[1].lower().removesuffix(b".")


def _is_ipv6_address(text: bytes) -> bool:
    try:
        IPv6Address(text.decode("ascii"))
    except ValueError:
        return False
    return True
