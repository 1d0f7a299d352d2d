"""
Changes to the head of a single message, beside those that a route makes to all.
"""

from __future__ import annotations

from typing import Final

from ingress.encoded_fields import EncodedFields, FieldLines
from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.message import EditedFields, Response, UpstreamRequest

UNCHANGED: Final = NO_EDITS
"""Known to compiled code: a name of a module that is not compiled is looked up each time."""

_REQUEST_ID_KEY: Final = b"x-request-id"


def apply_edits(head: UpstreamRequest, edits: FieldEdits) -> None:
    """
    Apply edits that were made for a single request. The result is kept for the next request with
    the same head whose edits are the same object, and nothing more.
    """
    cache, source = head.request.cache, head.fields
    kept = cache.edited
    if kept is not None and kept.source is source and kept.edits is edits:
        head.fields = kept.fields
    else:
        head.fields = EncodedFields(edits.apply_to_request(source))
        cache.edited = EditedFields(source, edits, head.fields)
    edit_own_fields(head, edits)


def edit_own_fields(head: UpstreamRequest, edits: FieldEdits) -> None:
    """
    Apply edits to the fields that do not come from the client: Host, and those of the proxy. The
    head keeps them for its trailers.
    """
    head.edits = (*head.edits, edits)
    if edits.host is not None:
        head.authority = edits.host
    if edits.drops_own_lines:
        head.forwarded = edits.apply_to_lines(head.forwarded)
    if _REQUEST_ID_KEY in edits.dropped_spellings:
        head.request_id = b""


def edited_fields(response: Response, fields: FieldLines, edits: FieldEdits) -> FieldLines:
    """
    Apply edits that were made for a single response. The result is kept for the next response with
    the same head whose edits are the same object, and nothing more.

    :param fields: the result of `fields.downstream_fields`.
    """
    if not isinstance(fields, EncodedFields):
        return edits.apply(fields)
    kept = response.cache.edited
    if kept is not None and kept.source is fields and kept.edits is edits:
        return kept.fields
    edited = EncodedFields(edits.apply(fields))
    response.cache.edited = EditedFields(fields, edits, edited)
    return edited
