"""
What an authentication server is told of the request that it decides about.

Source of the rules: docs/compatibility.md, sections 2.5 and 6, "Authentication servers".
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ingress.believed_client import BelievedClient
from ingress.field_edits import FieldEdits, FieldPairs
from ingress.message import Request
from ingress.policy.context import PolicyContext
from ingress.policy.own_location import own_location
from ingress.policy.variables import REQUEST_VARIABLES, RequestSource, VariableText

_SENT_FROM: Final = (b"X-Sent-From", b"nginx-ingress-controller")
"""Authentication servers recognise ingress-nginx by it."""

_CERTIFICATE: Final = b"ssl-client-"
"""The beginning of the names of fields that tell a server of the client's certificate."""

_OF_A_METHOD: Final = frozenset({b"x-original-uri", b"x-scheme"})
"""Fields that are sent with a method of one's own only; never those of the client."""


class _Aimed(NamedTuple):
    """A request whose target is the one that an endpoint will get."""

    request: Request
    client: BelievedClient
    request_id: bytes


def source_of(context: PolicyContext) -> RequestSource:
    """
    :return: the request with the target that an endpoint will get: the server must not decide
        about another path than that.
    """
    request = context.request
    if context.target is request.target:
        return context
    aimed = request.aimed_at(context.target, request.path, request.authority, request.host)
    return _Aimed(aimed, context.client, context.request_id)


def question_edits(
    context: PolicyContext,
    source: RequestSource,
    method: str,
    redirect: VariableText | None,
    set_fields: tuple[tuple[bytes, VariableText], ...],
) -> FieldEdits:
    """
    :param source: that of `source_of`.
    :param method: the method of one's own; empty without one.
    :param redirect: the value of X-Auth-Request-Redirect; None for the target of the request.
    :param set_fields: further fields, by name; empty values take a field out.
    :return: the changes to the client's fields.
    :raises ValueError: for a value of the client that none of a field may have.
    """
    request = source.request
    after = request.target if redirect is None else REQUEST_VARIABLES.expand(redirect, source)
    fields: list[tuple[bytes, bytes]] = [
        (b"X-Original-URL", own_location(context, request.target)),
        (b"X-Original-Method", request.method),
        _SENT_FROM,
        (b"X-Auth-Request-Redirect", after),
    ]
    if method:
        fields.append((b"X-Original-URI", request.target))
        fields.append((b"X-Scheme", b"https" if context.client.is_secure else b"http"))
    certificate: FieldPairs = context.request_edits.replace
    fields += (pair for pair in certificate if pair[0].startswith(_CERTIFICATE))
    for name, text in set_fields:
        value = REQUEST_VARIABLES.expand(text, source).strip(b" \t")
        fields = [pair for pair in fields if pair[0].lower() != name.lower()]
        fields.append((name, value))
    removed = frozenset(name.lower() for name, value in fields if not value)
    return FieldEdits(
        replace=tuple(pair for pair in fields if pair[1]), remove=removed | _OF_A_METHOD
    )
