"""
A request and a response as values: what codecs, policies and the exchange share.

Bytes as they came on the wire; nothing here knows a version's syntax.
"""

from __future__ import annotations

from dataclasses import dataclass

Fields = list[tuple[bytes, bytes, bytes]]
"""
The fields of a head in order and number: ``(lower-case name, name, value)``.
The name in lower case is kept because every reader of a field asks for it.
"""

IDEMPOTENT_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
"""RFC 9110 section 9.2.2: the methods that may be sent again on our own account."""


@dataclass(slots=True, eq=False)
class Request:
    """The head of a request that passed every check of its codec."""

    method: bytes
    target: bytes
    """What goes upstream: origin-form with its raw path and query, or ``*``."""

    path: bytes
    """The canonical path, for matching and for access (`routing.path`)."""

    authority: bytes
    """The Host field, or the authority of an absolute-form target, as written."""

    host: bytes
    """`authority` in lower case without port and trailing dot."""

    fields: Fields
    body_length: int | None
    """In bytes; None where only the end of the body will tell."""

    connection_options: frozenset[bytes] = frozenset()
    """The members of its Connection fields in lower case: they are for this hop alone."""

    is_http_10: bool = False
    keep_alive: bool = True

    wants_websocket: bool = False
    """Whether it asks for a tunnel (RFC 6455); it is an ordinary request where it gets none."""

    takes_trailers: bool = False
    """Whether its client said that it does (RFC 9110 section 10.1.4)."""

    def field(self, name: bytes) -> bytes | None:
        """The value of the first field of this lower-case name, if any."""
        for key, _, value in self.fields:
            if key == name:
                return value
        return None

    @property
    def has_body(self) -> bool:
        return self.body_length != 0


@dataclass(slots=True, eq=False)
class Response:
    """The head of a response that passed every check of its codec."""

    status: int
    reason: bytes
    fields: Fields
    body_length: int | None
    """In bytes; None where only the end of the body will tell."""

    connection_options: frozenset[bytes] = frozenset()
    keep_alive: bool = True
