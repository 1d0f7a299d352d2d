"""
A request and a response as values: what codecs, policies and the exchange share.

Bytes as they came on the wire; nothing here knows a version's syntax.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

Fields = Sequence[tuple[bytes, bytes, bytes]]
"""
The fields of a head in order and number: ``(lower-case name, name, value)``.
The name in lower case is kept because every reader of a field asks for it.
"""


class Derived:
    """
    What was made of a head once, and serves all messages that have the same one.

    A client repeats its fields with each request, an endpoint with most responses, and
    `ingress.http1` gives them one of these together. Whoever makes something of the
    fields alone may keep it here.
    """

    __slots__ = ("downstream", "logged", "request_id", "told", "upstream")

    def __init__(self) -> None:
        self.upstream: dict[tuple[bytes, bool], bytes] = {}
        """A request's fields towards the endpoint (`ingress.frontend.headers`)."""

        self.downstream: dict[bytes, EncodedFields] = {}
        """A response's fields towards the client, by our HSTS (the same)."""

        self.request_id: bytes | None = None
        """The client's own; empty where it has none that can be kept (the same)."""

        self.logged: tuple[bytes, bytes] | None = None
        """What nginx's lines of the access log say of it (`ingress.telemetry.log_line`)."""

        self.told: dict[str, object] | None = None
        """What the JSON lines say of it (the same)."""


class EncodedFields(list[tuple[bytes, bytes]]):
    """
    Fields on their way out that are sent more than once: a codec encodes them once.

    They must not be changed.
    """

    __slots__ = ("http1",)

    def __init__(self, fields: Sequence[tuple[bytes, bytes]]) -> None:
        super().__init__(fields)
        self.http1: bytes | None = None


IDEMPOTENT_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
"""RFC 9110 section 9.2.2: the methods that may be sent again on our own account."""


class Request(msgspec.Struct, eq=False):
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

    length: int = 0
    """Of the head, in bytes."""

    derived: Derived = msgspec.field(default_factory=Derived)
    """Shared with requests that differ in nothing but `target`, `path` and `length`."""

    def field(self, name: bytes) -> bytes | None:
        """The value of the first field of this lower-case name, if any."""
        for key, _, value in self.fields:
            if key == name:
                return value
        return None

    @property
    def has_body(self) -> bool:
        return self.body_length != 0


class Response(msgspec.Struct, eq=False):
    """The head of a response that passed every check of its codec. It must not be changed."""

    status: int
    reason: bytes
    fields: Fields
    body_length: int | None
    """In bytes; None where only the end of the body will tell."""

    connection_options: frozenset[bytes] = frozenset()
    keep_alive: bool = True
    derived: Derived = msgspec.field(default_factory=Derived)
