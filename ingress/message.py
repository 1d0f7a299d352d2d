"""
Requests and responses as values, shared by codecs, policies and the exchange.

The bytes are those of the wire; nothing here knows the syntax of a version of HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ingress.encoded_fields import EncodedFields
from ingress.field_edits import FieldEdits

Fields = Sequence[tuple[bytes, bytes, bytes]]
"""
The fields of a head in order and number: ``(lower-case name, name, value)``.
The name in lower case is kept because every reader of a field asks for it.
"""

NO_OPTIONS: frozenset[bytes] = frozenset()
"""The connection options of a message without a Connection field."""


class EditedFields:
    """
    Fields of a head that is sent on, with edits applied that were made for this message alone.

    A policy whose decisions are used again gives the same edits for many messages.

    :ivar source: the fields before.
    :ivar edits: the edits.
    :ivar fields: the fields.
    """

    __slots__ = ("edits", "fields", "source")

    def __init__(self, source: EncodedFields, edits: object, fields: EncodedFields) -> None:
        self.source = source
        self.edits = edits
        self.fields = fields

    def __repr__(self) -> str:
        return f"<EditedFields {len(self.fields)}>"


class DatedFields:
    """
    A response's fields towards the client, with the Date that the proxy has added.

    :ivar date: as `date_now` has given it, which gives another object in the next second.
    :ivar fields: the fields, by edits.
    """

    __slots__ = ("date", "fields")

    def __init__(self, date: bytes) -> None:
        self.date = date
        self.fields: dict[bytes, EncodedFields] = {}


class HeadCache:
    """
    Everything made from the fields of a head, for all messages that have the same fields.

    A client repeats its fields with each request and an endpoint with most responses;
    `ingress.http1` gives all of these one cache. Only what depends on nothing but the fields may
    be kept here.
    """

    __slots__ = (
        "dated",
        "decision",
        "downstream",
        "edited",
        "forwarded",
        "identity",
        "json_log",
        "nginx_log",
        "request_id",
        "upstream",
        "weighed_in",
    )

    def __init__(self) -> None:
        self.identity = object()
        """Stands for the fields, so that they are recognised without being kept in memory."""

        self.weighed_in: object = None
        """Where its memory has been counted last, by what keeps requests (`ingress.http1`)."""

        self.upstream: dict[bytes, EncodedFields] = {}
        """
        A request's fields towards the endpoint, by the client's trust and by edits
        (`ingress.exchange.fields`).
        """

        self.forwarded: bytes | None = None
        """
        A request's fields that keep what an untrusted client claimed to forward
        (`ingress.exchange.client`).
        """

        self.downstream: dict[bytes, EncodedFields] = {}
        """A response's fields towards the client, by edits (`ingress.exchange.fields`)."""

        self.dated: DatedFields | None = None
        """The same of a response without a Date."""

        self.edited: EditedFields | None = None
        """
        The result of the last edits that were made for a single message
        (`ingress.exchange.message_edits`).
        """

        self.decision: object = None
        """The last decision of a policy that depends on the fields, which the policy looks up."""

        self.request_id: bytes | None = None
        """The client's own id; empty if there is none that can be kept."""

        self.nginx_log: tuple[bytes, bytes, bytes, bytes] | None = None
        """The parts of nginx's log lines that the head decides (`ingress.telemetry.log_line`)."""

        self.json_log: dict[str, object] | None = None
        """The part of the JSON log lines that the head decides (`ingress.telemetry.log_line`)."""


IDEMPOTENT_METHODS: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
"""RFC 9110 section 9.2.2: the methods that the proxy may repeat without being asked to."""


class Request:
    """
    The head of a request that passed every check of its codec.

    :ivar method: as it is on the wire; its case matters.
    :ivar target: what goes upstream: origin-form with its raw path and query, or ``*``.
    :ivar path: the canonical path, for matching and for access (`routing.path`).
    :ivar authority: the Host field, or the authority of an absolute-form target, as written.
    :ivar host: `authority` in lower case without port and trailing dot.
    :ivar fields: all but Host, which is `authority`.
    :ivar body_length: in bytes; None if only the end of the body tells.
    :ivar connection_options: the members of its Connection fields in lower case: names of fields
        that are for this hop alone.
    :ivar is_http_10: whether the client uses HTTP/1.0.
    :ivar is_http_2: whether it uses HTTP/2; else HTTP/1.1. Such a client always takes trailers.
    :ivar wants_websocket: whether it asks for a tunnel (RFC 6455); without one it is an ordinary
        request.
    :ivar takes_trailers: whether the client said that it takes them (RFC 9110 section 10.1.4).
    :ivar length: of the head, in bytes.
    :ivar logged_target: the target as the access log has it; empty until it is needed.
    :ivar cache: shared with requests that differ in nothing but their target and their host.
    """

    __slots__ = (
        "authority",
        "body_length",
        "cache",
        "connection_options",
        "fields",
        "host",
        "is_http_2",
        "is_http_10",
        "keep_alive",
        "length",
        "logged_target",
        "method",
        "path",
        "takes_trailers",
        "target",
        "wants_websocket",
    )

    def __init__(
        self,
        method: bytes,
        target: bytes,
        path: bytes,
        authority: bytes,
        host: bytes,
        fields: Fields,
        body_length: int | None,
        *,
        connection_options: frozenset[bytes] = NO_OPTIONS,
        is_http_10: bool = False,
        is_http_2: bool = False,
        keep_alive: bool = True,
        wants_websocket: bool = False,
        takes_trailers: bool = False,
        cache: HeadCache | None = None,
    ) -> None:
        self.method = method
        self.target = target
        self.path = path
        self.authority = authority
        self.host = host
        self.fields = fields
        self.body_length = body_length
        self.connection_options = connection_options
        self.is_http_10 = is_http_10
        self.is_http_2 = is_http_2
        self.keep_alive = keep_alive
        self.wants_websocket = wants_websocket
        self.takes_trailers = takes_trailers
        self.length = 0
        self.logged_target = b""
        self.cache = cache if cache is not None else HeadCache()

    def __repr__(self) -> str:
        return f"<Request {self.method!r} {self.target!r} of {self.authority!r}>"

    def aimed_at(self, target: bytes, path: bytes, authority: bytes, host: bytes) -> Request:
        """:return: a request for this target and host, with the same fields and the same cache."""
        return Request(
            self.method,
            target,
            path,
            authority,
            host,
            self.fields,
            self.body_length,
            connection_options=self.connection_options,
            is_http_10=self.is_http_10,
            is_http_2=self.is_http_2,
            keep_alive=self.keep_alive,
            wants_websocket=self.wants_websocket,
            takes_trailers=self.takes_trailers,
            cache=self.cache,
        )

    def with_body(self) -> Request:
        """:return: the same request, with a body whose length is unknown."""
        request = self.aimed_at(self.target, self.path, self.authority, self.host)
        request.body_length = None
        request.length = self.length
        return request

    def field(self, name: bytes) -> bytes | None:
        """Return the value of the first field of this lower-case name, if any; Host is no field."""
        for key, _, value in self.fields:
            if key == name:
                return value
        return None

    def listed(self, name: bytes) -> bytes | None:
        """
        :param name: in lower case; ``host`` is the authority.
        :return: all values of this name as one list, as in nginx's ``$http_NAME``; None without
            the field.
        """
        if name == b"host":
            return self.authority
        values = [value for key, _, value in self.fields if key == name]
        return b", ".join(values) if values else None

    def cookie(self, name: bytes) -> bytes:
        """
        :param name: in lower case; a cookie may have its name in any, as in nginx.
        :return: the value of the first cookie of this name; empty without one.
        """
        for key, _, field in self.fields:
            if key != b"cookie":
                continue
            for pair in field.split(b";"):
                cookie, _, value = pair.strip(b" \t").partition(b"=")
                if cookie.lower() == name:
                    return value
        return b""

    @property
    def query(self) -> bytes:
        """What follows the first ``?`` of the target; empty without one."""
        return self.target.partition(b"?")[2]

    @property
    def protocol(self) -> bytes:
        """The version of HTTP as nginx's ``$server_protocol`` writes it."""
        if self.is_http_2:
            return b"HTTP/2.0"
        return b"HTTP/1.0" if self.is_http_10 else b"HTTP/1.1"

    @property
    def has_body(self) -> bool:
        return self.body_length != 0


def argument_of(query: bytes, name: bytes) -> bytes:
    """
    :param query: of a target, without its ``?``.
    :param name: in lower case; an argument may have its name in any, as in nginx.
    :return: the value of the first argument of this name, as written; empty without one.
    """
    for argument in query.split(b"&"):
        key, _, value = argument.partition(b"=")
        if key.lower() == name:
            return value
    return b""


class UpstreamRequest:
    """
    The head of a request as an endpoint gets it, independent of the version of HTTP.

    :ivar request: the client's request that it is made from; the framing is the same.
    :ivar method: as it is on the wire.
    :ivar target: a path that begins with ``/``, with its query, or ``*``; it may differ from the
        target that was received.
    :ivar authority: the Host field.
    :ivar fields: the client's fields that go on, with edits applied.
    :ivar request_id: the X-Request-ID field; empty where edits took it out.
    :ivar forwarded: the forwarded fields, a line each, as HTTP/1.1 writes them.
    :ivar connection: the Connection field in HTTP/1.1, ``close`` or ``keep-alive``; empty for none.
    :ivar edits: the edits that have been applied, for what comes behind the head.
    """

    __slots__ = (
        "authority",
        "connection",
        "edits",
        "fields",
        "forwarded",
        "method",
        "request",
        "request_id",
        "target",
    )

    def __init__(
        self,
        request: Request,
        target: bytes,
        authority: bytes,
        fields: EncodedFields,
        request_id: bytes,
        forwarded: bytes,
    ) -> None:
        self.request = request
        self.method = request.method
        self.target = target
        self.authority = authority
        self.fields = fields
        self.request_id = request_id
        self.forwarded = forwarded
        self.connection = b""
        self.edits: tuple[FieldEdits, ...] = ()

    def __repr__(self) -> str:
        return f"<UpstreamRequest {self.method!r} {self.target!r} of {self.authority!r}>"


class Response:
    """
    The head of a response that passed every check of its codec. It must not be changed.

    :ivar body_length: in bytes; None if only the end of the body tells.
    :ivar cache: shared with responses of the same head.
    """

    __slots__ = (
        "body_length",
        "cache",
        "connection_options",
        "fields",
        "keep_alive",
        "reason",
        "status",
    )

    def __init__(
        self,
        status: int,
        reason: bytes,
        fields: Fields,
        body_length: int | None,
        *,
        connection_options: frozenset[bytes] = NO_OPTIONS,
        keep_alive: bool = True,
    ) -> None:
        self.status = status
        self.reason = reason
        self.fields = fields
        self.body_length = body_length
        self.connection_options = connection_options
        self.keep_alive = keep_alive
        self.cache = HeadCache()

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason!r}>"
