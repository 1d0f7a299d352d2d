"""
Decodes the requests of one connection: bytes in, heads and bodies out.
"""

from __future__ import annotations

from typing import Final

from ingress.config import Limits
from ingress.http1.body import BodyDecoder, Trailers
from ingress.http1.head import EMPTY_BODY, find_head_end
from ingress.http1.known_requests import KNOWN, KnownHead
from ingress.http1.request_head import (
    check_unfinished_request_head,
    parse_request_head,
    skip_empty_lines,
)
from ingress.message import Request

MAX_FIRST_LINE: Final = 256
"""The most bytes of an invalid request that are logged."""


class RequestDecoder:
    """
    Holds the received bytes that have not been taken yet.

    Take a head, then its body until that is complete, then the next head.
    """

    __slots__ = ("_body", "_checked", "_known", "_trailers", "is_in_body", "is_in_head", "waiting")

    def __init__(self) -> None:
        self.is_in_head = True
        """Whether a head has begun and is incomplete; the first begins with the connection."""

        self.is_in_body = False
        """Whether the body of the last head is incomplete."""

        self.waiting = b""
        """The received bytes that have not been taken; the connection's reader adds to them."""

        self._checked = 0
        """How many bytes of an incomplete head are known to have neither its end nor a fault."""

        self._known: KnownHead | None = None
        """That of the last request that was known."""

        self._body: BodyDecoder = EMPTY_BODY
        self._trailers: Trailers = ()

    def __repr__(self) -> str:
        return f"<RequestDecoder {len(self.waiting)} bytes, in_body={self.is_in_body}>"

    @property
    def trailers(self) -> Trailers:
        """The trailers of the last complete body, if it was chunked."""
        return self._trailers

    def take_rest(self) -> bytes:
        """Take all waiting bytes, undecoded."""
        rest, self.waiting = self.waiting, b""
        return rest

    def first_line(self) -> bytes:
        """
        Return the beginning of the waiting bytes, for the log if they are not a request. It never
        exceeds their first line, whatever ends that, because secrets may follow.
        """
        line = self.waiting[:MAX_FIRST_LINE]
        return line.partition(b"\n")[0].partition(b"\r")[0]

    def take_head(self, limits: Limits) -> Request | None:
        """
        :return: the next request; None while its head is incomplete.
        :raises RequestError: or a subclass, if the request must be refused.
        """
        data = self.waiting
        checked = self._checked
        if not checked:
            # Most heads have been seen before, most of these on this connection, and nothing
            # follows them.
            known = self._known
            if known is None or known.data != data or limits is not KNOWN.limits:
                known = KNOWN.find(data, limits)
            if known is not None and known.request is not None:
                self._known = known
                self.waiting = b""
                self.is_in_head = False
                return known.request
        if data.startswith(b"\r\n"):
            data = self.waiting = skip_empty_lines(data)
            checked = self._checked = 0
        if not data:
            return None
        end = find_head_end(data, checked)
        if end < 0:
            check_unfinished_request_head(data, limits, checked)
            self._checked = len(data)
            self.is_in_head = True
            return None
        request, body = parse_request_head(data[:end], limits)
        self.waiting = data[end:]
        self.is_in_head = False
        self._checked = 0
        if not body.is_complete:
            self.is_in_body = True
            self._body = body
        return request

    def take_body(self) -> bytes:
        """
        :return: the next bytes of the body; empty if no more have come, or the body is complete.
        :raises RequestError: if the body is malformed.
        """
        body, self.waiting = self._body.feed(self.waiting)
        if self._body.is_complete:
            self.is_in_body = False
            self._trailers = self._body.trailers
            self._body = EMPTY_BODY
        return body
