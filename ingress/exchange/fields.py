"""
The fields of requests to endpoints and of responses to clients.

Section 2.1 of docs/compatibility.md says which fields are sent, RFC 9110 section 7.6.1 which ones
stay on their hop.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.encoded_fields import EncodedFields, FieldLines
from ingress.error_pages import NO_PAGES, ErrorPages
from ingress.exchange.field_names import PLAIN, FieldNames, name_kind
from ingress.exchange.loop_marker import FIELD_KEY, LoopMarker
from ingress.exchange.message_edits import UNCHANGED, edit_own_fields
from ingress.field_edits import CONNECTION_FIELDS, EXPLAIN, FieldEdits, plain_spelling
from ingress.http1.body import Trailers
from ingress.http_date import date_now
from ingress.message import DatedFields, Request, Response, UpstreamRequest
from ingress.routing.route import Route
from ingress.routing.upstream_target import route_target

HOP_BY_HOP: Final = CONNECTION_FIELDS - {b"content-length"}

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
"""Fields that endpoints get from us alone; a client's own are read if they are believed."""

_TRUSTED_ONLY: Final = (b"x-forwarded-", b"x-original-", b"ssl-client-")
"""Beginnings of the names of fields that pass only if a trusted proxy sent them."""

_REPLACED: Final = b"x-original-forwarded-"
"""The beginning of names that we set from what the client forwarded, so that none passes."""

# `Proxy` would become the variable HTTP_PROXY of a CGI program (httpoxy, CVE-2016-5385).
# CDN-Loop is added in `upstream_fields`, so that neither Connection nor edits remove it.
_NEVER_UPSTREAM: Final = HOP_BY_HOP | _FORWARDED | {b"proxy", EXPLAIN, FIELD_KEY}

# RFC 9110 section 8.6: no Content-Length in a message without a body.
_NEVER_INTERIM: Final = HOP_BY_HOP | {b"content-length"}

# RFC 9110 section 6.5.1: fields that frame, route, authenticate or control belong to the head.
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

# Fields that a client must not remove by naming them in Connection.
_NOT_NOMINABLE: Final = frozenset({b"host", b"content-length"})

# Fields that a client must not send in another spelling, whatever names pass: endpoints may take
# them for the fields that were checked here.
_OURS: Final = _NEVER_UPSTREAM | _NOT_NOMINABLE

_TRUSTED: Final = b"trusted "
"""
The beginning of the key that the fields of a trusted proxy are kept by. That of others is
`FieldNames.key`.
"""

_STAYS_HERE: Final = -1
_READS_AS_OURS: Final = 100

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_MAX_CACHED_NAME: Final = 64
"""Bytes of a field name that a cache keeps, so that clients cannot fill it with long ones."""


def own_request_id(request: Request) -> bytes:
    """Return the id that the client gave its request; empty without one that is a token."""
    cache = request.cache
    kept = cache.request_id
    if kept is None:
        own = request.field(b"x-request-id")
        kept = own if own is not None and _REQUEST_ID.fullmatch(own) else b""
        cache.request_id = kept
    return kept


@lru_cache(maxsize=1024)
def _judge_name(key: bytes, is_trusted: bool) -> int:
    """
    Judge the name of a field. Results are cached, because all clients send the same few names.

    :param key: the name in lower case.
    :param is_trusted: whether the client is a trusted proxy.
    :return: `_STAYS_HERE` for a field that does not pass, `_READS_AS_OURS` for the odd spelling
        of such a field, else the kind of the name.
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
    edits: FieldEdits,
    marker: LoopMarker,
    route: Route | None = None,
) -> UpstreamRequest:
    """
    Make the head of a request as its endpoint gets it.

    :param request: the request of the client.
    :param client: what is believed of the client.
    :param identity: the request's id.
    :param names: decides which names of fields endpoints get.
    :param edits: the route's changes to requests.
    :param marker: marks the request as one that passed through here.
    :param route: a route that may change the target; None for one that does not.
    :raises LoopDetected: if the request has passed through here too often.
    :raises RequestError: if the route would send a path that endpoints may read in several ways.
    """
    head = UpstreamRequest(
        request,
        request.target if route is None else route_target(request, route),
        client.authority,
        upstream_fields(request, client.is_trusted, names, edits, marker),
        identity,
        client.forwarded,
    )
    if edits is not UNCHANGED:
        edit_own_fields(head, edits)
    if route is not None and route.connection is not None:
        head.connection = route.connection.value
    return head


def upstream_fields(
    request: Request,
    is_trusted: bool,
    names: FieldNames,
    edits: FieldEdits,
    marker: LoopMarker,
) -> EncodedFields:
    """
    Collect the client's fields that an endpoint gets, in order and number, with edits applied.

    Host, the request's id, the forwarded fields and the fields of the connection are not among
    them.

    The result is kept for the next request with the same head, unless a field has an odd name:
    each one that is dropped must be counted, and the setting for names may change.

    :param request: the request of the client.
    :param is_trusted: whether the client is a trusted proxy.
    :param names: decides which names of fields endpoints get.
    :param edits: the route's changes. They are part of the cache's key: apply edits that are
        made for a single request to the result instead.
    :param marker: the marker of this process. Its field depends on the head alone.
    :raises LoopDetected: if the request has passed through here too often.
    """
    key = _TRUSTED if is_trusted else names.key
    if edits is not UNCHANGED:
        key += edits.key
    kept = request.cache.upstream.get(key)
    if kept is not None:
        return kept
    found, is_plain = _passing_fields(request, is_trusted, names)
    if edits is not UNCHANGED:
        found = edits.apply_to_request(found)
    found.append(marker.mark(request))
    fields = EncodedFields(found)
    if is_plain:
        request.cache.upstream[key] = fields
    return fields


def _passing_fields(
    request: Request, is_trusted: bool, names: FieldNames
) -> tuple[FieldLines, bool]:
    """:return: the client's fields that pass, and whether all names were plain."""
    options = request.connection_options
    found: FieldLines = []
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
        found.append((name, value))
    if names.address_field and not is_trusted:
        found = [pair for pair in found if plain_spelling(pair[0]) != names.address_field]
    return found, is_plain


def downstream_fields(response: Response, edits: FieldEdits) -> FieldLines:
    """
    Collect the endpoint's fields that the client gets, in order and number, with edits and a Date.

    :param response: the response of the endpoint.
    :param edits: the changes for a route and a scheme. They are part of the cache's key: apply
        edits that are made for a single response to the result instead.
    :return: fields that may be shared with other responses, and must not be changed.
    """
    key = b"" if edits is UNCHANGED else edits.key
    cache = response.cache
    kept = cache.downstream.get(key)
    if kept is None and cache.dated is not None and cache.dated.date is date_now():
        kept = cache.dated.fields.get(key)
    if kept is not None:
        return kept
    options = response.connection_options
    fields: FieldLines = []
    has_date = False
    for name_key, name, value in response.fields:
        if name_key in HOP_BY_HOP or (
            options and name_key in options and name_key not in _NOT_NOMINABLE
        ):
            continue
        if name_key == b"date":
            has_date = True
        elif name_key == b"content-length" and response.status == 204:
            # RFC 9110 section 8.6: a 204 must not have it.
            continue
        fields.append((name, value))
    date = b""
    if not has_date:
        # RFC 9110 section 6.6.1: a proxy adds the Date that a response lacks, as those of gRPC do.
        date = date_now()
        fields.append((b"Date", date))
    made = EncodedFields(edits.apply(fields) if key else fields)
    if has_date:
        cache.downstream[key] = made
    else:
        dated = cache.dated
        if dated is None or dated.date is not date:
            dated = cache.dated = DatedFields(date)
        dated.fields[key] = made
    return made


def upstream_trailers(trailers: Trailers, head: UpstreamRequest) -> FieldLines:
    """
    Collect the client's trailers that may follow a body, in order and number.

    :param head: the head of the request, as its endpoint gets it.
    :return: those that no endpoint can take for a field that the proxy sets, that it keeps from the
        endpoint, or that is in the head.
    """
    dropped = {plain_spelling(name) for name, _ in head.fields}
    for edits in head.edits:
        dropped |= edits.dropped_spellings
    found: FieldLines = []
    for name, value in trailers:
        plain = plain_spelling(name)
        if name_kind(name) == PLAIN and plain not in dropped and _may_trail(plain):
            found.append((name, value))
    return found


def _may_trail(name: bytes) -> bool:
    is_ours = name in _OURS or name.startswith(_TRUSTED_ONLY)
    return not is_ours and name not in _NEVER_TRAILERS and name != b"cookie"


def downstream_trailers(trailers: Trailers) -> FieldLines:
    """Return the endpoint's trailers that may follow a body; they must not be changed."""
    if type(trailers) is EncodedFields and trailers.trailing is not None:
        return trailers.trailing
    found = [(name, value) for name, value in trailers if name.lower() not in _NEVER_TRAILERS]
    if type(trailers) is EncodedFields:
        trailers.trailing = EncodedFields(found)
        return trailers.trailing
    return found


def interim_fields(response: Response) -> FieldLines:
    """Return the fields of a 1xx response that the client gets."""
    options = response.connection_options
    return [
        (name, value)
        for key, name, value in response.fields
        if key not in _NEVER_INTERIM and key not in options
    ]


def answer_fields(
    answer: Answer,
    accept: bytes | None,
    identity: bytes,
    edits: FieldEdits,
    pages: ErrorPages = NO_PAGES,
) -> tuple[FieldLines, bytes]:
    """
    Make the fields and the body of an answer of the proxy's own.

    :param answer: the answer.
    :param accept: the request's Accept, if any.
    :param identity: the request's id.
    :param edits: the changes to the response.
    :param pages: the bodies of errors that have no page of their own.
    :return: the fields and the body.
    """
    fields: FieldLines = [(b"Date", date_now())]
    body = b""
    # RFC 9110 sections 15.3.5 and 15.4.5: these never have a body, and need no length of 0.
    is_bodiless = answer.status in (204, 304)
    if answer.has_body and not is_bodiless:
        page = pages.find(answer.status, accept) if answer.page is None else None
        media_type, body = page or answer.body(accept, identity.decode("ascii"))
        fields.append((b"Content-Type", media_type))
    if not is_bodiless:
        fields.append((b"Content-Length", b"%d" % len(body)))
    fields.append((b"X-Request-ID", identity))
    fields += answer.fields
    return (edits.apply(fields) if edits.key else fields), body


def is_forwarded(name: bytes) -> bool:
    """:return: whether a field in any spelling says who the client is, for a proxy that trusts."""
    plain = plain_spelling(name)
    return plain in _FORWARDED or plain.startswith((b"x-forwarded-", _REPLACED))


def without_body(request: Request) -> Request:
    """:return: the same request without its body, for a server that gets none."""
    framing = (b"content-length", b"transfer-encoding", b"expect", b"trailer")
    return Request(
        request.method,
        request.target,
        request.path,
        request.authority,
        request.host,
        [field for field in request.fields if field[0] not in framing],
        0,
        connection_options=request.connection_options,
        is_http_10=request.is_http_10,
        is_http_2=request.is_http_2,
        keep_alive=request.keep_alive,
    )
