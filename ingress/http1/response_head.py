"""
The heads of responses: checked as a whole, then parsed by llhttp (`ingress.http1.head`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final

import httptools

from ingress.config import Limits
from ingress.errors import ResponseError
from ingress.http1.body import BodyDecoder, ChunkedBody, LengthBody, UntilCloseBody
from ingress.http1.fault import field_lines_fault, status_line_fault
from ingress.http1.head import (
    DEFAULT_LIMITS,
    EMPTY_BODY,
    FIELD_LINES,
    KEPT_HEADS,
    MAX_KEPT,
    MAX_KEPT_FIELDS,
    FieldCollector,
    Framing,
    find_head_end,
    has_bare_line_end,
    keeps_connection,
    split_fields,
)
from ingress.message import Response
from ingress.recent_values import RecentValues

_RESPONSE_HEAD: Final = re.compile(
    rb"HTTP/1\.([01]) [1-9][0-9][0-9](?: [\t\x20-\x7e\x80-\xff]*+)?\r\n" + FIELD_LINES
)

_Parsed = tuple[Response, Callable[[], BodyDecoder]]
_KEPT: Final[RecentValues[bytes, _Parsed]] = RecentValues(KEPT_HEADS)
"""What heads are parsed to, of responses to any method but HEAD."""

_KEPT_OF_HEAD: Final[RecentValues[bytes, _Parsed]] = RecentValues(KEPT_HEADS // 8)
"""The same for HEAD, which decides on the body and is rare."""

MAX_STATUS: Final = 599
"""Statuses above belong to no class (RFC 9110 section 15)."""


def check_unfinished_response_head(
    data: bytes, limits: Limits = DEFAULT_LIMITS, checked: int = 0
) -> None:
    """
    Refuse bytes that can no longer become the head of a response, before its end has come.

    :param data: the beginning of a head, without its end; not empty.
    :param checked: how many bytes of it have passed this check before.
    :raises ResponseError: for a head that is malformed or too large.
    """
    if len(data) > limits.head_size:
        raise ResponseError("The head of the response is too large.")
    if data[:7] != b"HTTP/1."[: len(data)] or has_bare_line_end(data, checked):
        raise _malformed(data)


def parse_response_head(
    data: bytes, request_method: bytes, limits: Limits = DEFAULT_LIMITS
) -> tuple[Response, Callable[[], BodyDecoder]]:
    """
    :param data: a whole head, from its status line to its empty line.
    :param request_method: the method of the request: a response to HEAD has no body.
    :return: the response, and a function that makes a decoder for its body.
    :raises ResponseError: for a head that is malformed or too large.
    """
    if len(data) > limits.head_size:
        raise ResponseError("The head of the response is too large.")
    is_of_head = request_method == b"HEAD"
    kept = _KEPT_OF_HEAD if is_of_head else _KEPT
    parsed = kept.get(data) if len(data) <= MAX_KEPT else None
    if parsed is None:
        parsed = _parse_response(data, is_of_head)
        if len(data) <= MAX_KEPT and len(parsed[0].fields) <= MAX_KEPT_FIELDS:
            kept.put(data, parsed)
    if len(parsed[0].fields) > limits.head_fields:
        raise ResponseError("The head of the response has too many fields.")
    return parsed


class ResponseHeads:
    """
    Reads the heads of the responses of one endpoint, which mostly repeats the last one.

    :ivar response: the response that `read` found last.
    :ivar new_body: makes a decoder for its body.
    """

    __slots__ = ("_known", "_limits", "new_body", "response")

    def __init__(self) -> None:
        self.response: Response
        self.new_body: Callable[[], BodyDecoder] = _no_body
        self._known = b""
        """The head of `response`; empty if it may not be taken for the next one's."""

        self._limits = DEFAULT_LIMITS

    def read(self, data: bytes, checked: int, method: bytes, limits: Limits) -> int:
        """
        :param data: what has come of a response.
        :param checked: how many bytes of it this method has seen before.
        :param method: of the request.
        :return: the length of the head; -1 while it is incomplete.
        :raises ResponseError: for a head that is malformed or too large.
        """
        known = self._known
        if (
            known
            and not checked
            and data.startswith(known)
            and limits is self._limits
            and method != b"HEAD"
        ):
            return len(known)
        end = find_head_end(data, checked)
        if end < 0:
            if data:
                check_unfinished_response_head(data, limits, checked)
            return end
        head = data[:end]
        self.response, self.new_body = parse_response_head(head, method, limits)
        self._known = head if end <= MAX_KEPT and method != b"HEAD" else b""
        self._limits = limits
        return end


def _parse_response(data: bytes, is_of_head: bool) -> _Parsed:
    """
    :param is_of_head: whether the request's method was HEAD.
    :return: the response, and a function that makes a decoder for its body.
    """
    match = _RESPONSE_HEAD.fullmatch(data)
    if match is None:
        raise _malformed(data)
    head = FieldCollector()
    parser = httptools.HttpResponseParser(head)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        Framing(split_fields(data.partition(b"\r\n")[2]), ResponseError)
        raise _malformed(data) from error
    status = parser.get_status_code()
    if status > MAX_STATUS:
        raise ResponseError("The endpoint sent a status that is not between 100 and 599.")
    is_http_10 = match[1] == b"0"
    framing = Framing(head.fields, ResponseError)
    has_none = is_of_head or status < 200 or status in (204, 304)
    length, new_body = (0, _no_body) if has_none else _response_body(framing, is_http_10)
    keep_alive = keeps_connection(framing.options, is_http_10=is_http_10)
    if new_body is UntilCloseBody or (has_none and _may_send_body(framing, is_of_head)):
        keep_alive = False
    response = Response(
        status=status,
        reason=head.reason,
        fields=head.fields,
        body_length=length,
        connection_options=framing.options,
        keep_alive=keep_alive,
    )
    return response, new_body


def _malformed(head: bytes) -> ResponseError:
    """:param head: a refused head, complete or not."""
    fault = status_line_fault(head) or field_lines_fault(head.partition(b"\r\n")[2])
    return ResponseError(f"The response is malformed: {fault or 'the parser refuses it'}.")


def _response_body(
    framing: Framing, is_http_10: bool
) -> tuple[int | None, Callable[[], BodyDecoder]]:
    """Find the body that follows a response's head, if one can (RFC 9112 section 6.3)."""
    if framing.transfer_encodings:
        if is_http_10:
            raise ResponseError("The response has a transfer coding in HTTP/1.0.")
        return None, partial(ChunkedBody, ResponseError)
    length = framing.content_length
    if length is None:
        return None, UntilCloseBody
    return length, partial(LengthBody, length) if length else _no_body


def _may_send_body(framing: Framing, is_of_head: bool) -> bool:
    """
    Whether an endpoint may send a body, which it must not, for a head that announces one.

    If it came late, it would be the response to the next request, so the connection is not used
    again. A body may follow a response to HEAD without a length as well (RFC 9110 section 8.6).
    """
    if framing.transfer_encodings:
        return True
    return is_of_head if framing.content_length is None else framing.content_length > 0


def _no_body() -> BodyDecoder:
    return EMPTY_BODY
