"""
The fields of a request towards the endpoint, and of a response towards the client.

What is sent follows docs/compatibility.md, section 2.1; what stays on its hop, RFC 9110
section 7.6.1.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from twisted.web.http import datetimeToString

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.encoded_fields import EncodedFields, FieldLines
from ingress.exchange.field_names import PLAIN, FieldNames, name_kind, plain_spelling
from ingress.http1.body import Trailers
from ingress.message import Request, Response
from ingress.routing.path_handling import PathHandling
from ingress.routing.upstream_target import upstream_target

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

_FORWARDED: Final = frozenset(
    {
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-proto",
        b"x-forwarded-scheme",
        b"x-forwarded-server",
        b"x-forwarded-ssl",
        b"x-real-ip",
        b"x-scheme",
        b"x-request-id",
    }
)
"""Set by us or not at all; a client's own are read where they are believed."""

_TRUSTED_ONLY: Final = (b"x-forwarded-", b"x-original-", b"ssl-client-")
"""Beginnings of names that only a trusted proxy may send on."""

_REPLACED: Final = b"x-original-forwarded-"
"""Set by us from what the client forwarded, so never sent on."""

# `Proxy` would become the variable HTTP_PROXY of a CGI program (httpoxy, CVE-2016-5385).
_NEVER_UPSTREAM: Final = HOP_BY_HOP | _FORWARDED | {b"proxy"}

# RFC 9110 section 8.6: no Content-Length in what has no body.
_NEVER_INTERIM: Final = HOP_BY_HOP | {b"content-length"}

# RFC 9110 section 6.5.1: what frames, routes, authenticates or controls is for the head alone.
_NEVER_TRAILERS: Final = _NEVER_INTERIM | {
    b"age",
    b"authorization",
    b"cache-control",
    b"content-encoding",
    b"content-range",
    b"content-type",
    b"date",
    b"expires",
    b"host",
    b"location",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"retry-after",
    b"set-cookie",
    b"strict-transport-security",
    b"vary",
    b"www-authenticate",
}

# What a client must not take from its own request by naming it in Connection.
_NOT_NOMINABLE: Final = frozenset({b"host", b"content-length"})

# What a client must not say in another spelling, whatever names pass: endpoints may take it for
# what was checked here.
_OURS: Final = _NEVER_UPSTREAM | _NOT_NOMINABLE

_STAYS_HERE: Final = -1
_READS_AS_OURS: Final = 100

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_MAX_CACHED_NAME: Final = 64
"""Bytes of a field name that a cache keeps: clients must not be able to fill it with long ones."""


def own_request_id(request: Request) -> bytes:
    """The id that the client gave its request; empty for none, and for one that is no token."""
    derived = request.derived
    kept = derived.request_id
    if kept is None:
        own = request.field(b"x-request-id")
        kept = own if own is not None and _REQUEST_ID.fullmatch(own) else b""
        derived.request_id = kept
    return kept


@lru_cache(maxsize=1024)
def _judge_name(key: bytes, is_trusted: bool) -> int:
    """
    :return: `_STAYS_HERE` for a field that goes no further, `_READS_AS_OURS` for the odd spelling
        of one that must not, else the kind of its name; all clients send the same few.
    """
    kind = name_kind(key)
    if kind != PLAIN:
        plain = plain_spelling(key)
        return _READS_AS_OURS if plain in _OURS or plain.startswith(_TRUSTED_ONLY) else kind
    if key in _NEVER_UPSTREAM or key.startswith(_REPLACED):
        return _STAYS_HERE
    return _STAYS_HERE if not is_trusted and key.startswith(_TRUSTED_ONLY) else PLAIN


def upstream_head(
    request: Request,
    client: BelievedClient,
    identity: bytes,
    names: FieldNames,
    paths: PathHandling | None = None,
) -> bytes:
    """
    The head that goes to the endpoint: Host (first, as RFC 9110 section 7.2 would have it),
    the client's other fields in order and number, less what stays on its hop or must not be
    believed, then ours.
    """
    is_trusted = client.is_trusted
    fields = request.derived.upstream.get(is_trusted)
    if fields is None:
        fields = _upstream_fields(request, is_trusted, names)
    return b"%b %b HTTP/1.1\r\nHost: %b\r\n%bX-Request-ID: %b\r\n%b\r\n" % (
        request.method,
        request.target if paths is None else upstream_target(request, paths),
        client.authority,
        fields,
        identity,
        client.forwarded,
    )


def _upstream_fields(request: Request, is_trusted: bool, names: FieldNames) -> bytes:
    """
    The client's fields but for Host, as the endpoint gets them.

    They are kept for the next request of the same head, unless one of them has an odd name:
    each that is dropped counts, and what is kept does not depend on the setting.
    """
    options = request.connection_options
    parts: list[bytes] = []
    is_plain = True
    for key, name, value in request.fields:
        judge = _judge_name if len(key) <= _MAX_CACHED_NAME else _judge_name.__wrapped__
        kind = judge(key, is_trusted)
        if kind != PLAIN:
            if kind == _STAYS_HERE:
                continue
            is_plain = False
            if kind > names.passing:
                names.dropped += 1
                continue
        if key == b"expect" and request.is_http_10:
            # RFC 9110 section 10.1.1: it must be ignored there.
            continue
        if options and key in options and key not in _NOT_NOMINABLE:
            continue
        parts.append(b"%b: %b\r\n" % (name, value))
    if request.body_length is None:
        parts.append(b"Transfer-Encoding: chunked\r\n")
    if request.wants_websocket:
        parts.append(b"Connection: Upgrade\r\nUpgrade: websocket\r\n")
    elif request.takes_trailers:
        parts.append(b"Connection: TE\r\nTE: trailers\r\n")
    fields = b"".join(parts)
    if is_plain:
        request.derived.upstream[is_trusted] = fields
    return fields


def downstream_fields(response: Response, hsts: bytes = b"") -> FieldLines:
    """
    The endpoint's fields that reach the client, in order and number, and a Date.

    :param hsts: our Strict-Transport-Security, if the answer is to have it (RFC 6797): then
        it has no other.
    :return: what is the same object for the next response of the same head; it must not
        be changed.
    """
    kept = response.derived.downstream.get(hsts)
    if kept is not None:
        return kept
    options = response.connection_options
    fields: FieldLines = []
    has_date = False
    for key, name, value in response.fields:
        if key in HOP_BY_HOP or (options and key in options and key not in _NOT_NOMINABLE):
            continue
        if key == b"date":
            has_date = True
        elif key == b"content-length" and response.status == 204:
            # RFC 9110 section 8.6: it must not be sent, so it is not sent on.
            continue
        fields.append((name, value))
    if hsts:
        fields = _with_hsts(fields, hsts)
    if has_date:
        fields = response.derived.downstream[hsts] = EncodedFields(fields)
    else:
        # RFC 9110 section 6.6.1: who forwards a response without Date adds it.
        fields.append((b"Date", datetimeToString()))
    return fields


def downstream_trailers(trailers: Trailers) -> FieldLines:
    """Those of the endpoint's trailers that mean something where the head is gone by."""
    return [(name, value) for name, value in trailers if name.lower() not in _NEVER_TRAILERS]


def interim_fields(response: Response) -> FieldLines:
    """The fields of a 1xx response that reach the client."""
    options = response.connection_options
    return [
        (name, value)
        for key, name, value in response.fields
        if key not in _NEVER_INTERIM and key not in options
    ]


def answer_fields(
    answer: Answer, accept: bytes | None, identity: bytes, hsts: bytes = b""
) -> tuple[FieldLines, bytes]:
    """
    The fields and the body of an answer of our own.

    :param accept: the request's Accept, if any.
    :param identity: the request's id.
    :param hsts: as for `downstream_fields`.
    """
    media_type, body = answer.body(accept, identity.decode("ascii"))
    fields = [
        (b"Date", datetimeToString()),
        (b"Content-Type", media_type),
        (b"Content-Length", b"%d" % len(body)),
        (b"X-Request-ID", identity),
        *answer.fields,
    ]
    return (_with_hsts(fields, hsts) if hsts else fields), body


def _with_hsts(fields: FieldLines, value: bytes) -> FieldLines:
    """With our Strict-Transport-Security and no other."""
    kept = [field for field in fields if field[0].lower() != b"strict-transport-security"]
    return [*kept, (b"Strict-Transport-Security", value)]
