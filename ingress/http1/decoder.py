"""
The requests of one connection: bytes in, heads and bodies out, one after the other.
"""

from __future__ import annotations

from ingress.config import Limits
from ingress.http1.body import BodyDecoder
from ingress.http1.head import (
    HEAD_END,
    check_unfinished_request_head,
    parse_request_head,
    skip_empty_lines,
)
from ingress.message import Request


class RequestDecoder:
    """
    Holds what has come and was not taken yet.

    Take a head, then its body until it is complete, then the next head.
    """

    __slots__ = ("_body", "_buffer", "is_in_head")

    def __init__(self) -> None:
        self.is_in_head = True
        """Whether a head is waited for that has begun; the first begins with the connection."""

        self._buffer = b""
        self._body: BodyDecoder | None = None

    def __repr__(self) -> str:
        return f"<RequestDecoder {len(self._buffer)} bytes, in_body={self.is_in_body}>"

    def __len__(self) -> int:
        """How many bytes wait."""
        return len(self._buffer)

    @property
    def is_in_body(self) -> bool:
        """Whether the body of the last head is not complete."""
        return self._body is not None

    def feed(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data

    def take_rest(self) -> bytes:
        """All that waits, undecoded."""
        rest, self._buffer = self._buffer, b""
        return rest

    def take_head(self, limits: Limits) -> Request | None:
        """
        :return: the next request; None while its head is not whole.
        :raises RequestError: or one of its kinds, where it must be refused.
        """
        data = self._buffer
        if data.startswith(b"\r\n"):
            data = self._buffer = skip_empty_lines(data)
        if not data:
            return None
        end = data.find(HEAD_END)
        if end < 0:
            check_unfinished_request_head(data, limits)
            self.is_in_head = True
            return None
        end += len(HEAD_END)
        request, body = parse_request_head(data[:end], limits)
        self._buffer = data[end:]
        self._body = None if body.is_complete else body
        self.is_in_head = False
        return request

    def take_body(self) -> bytes:
        """
        :return: some of the body; nothing while no more has come, or it is complete.
        :raises RequestError: where it is no body.
        """
        assert self._body is not None
        body, self._buffer = self._body.feed(self._buffer)
        if self._body.is_complete:
            self._body = None
        return body
