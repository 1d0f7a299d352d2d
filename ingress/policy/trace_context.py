"""
The trace that a request belongs to, as the fields ``traceparent`` and ``tracestate`` carry it.

Source of the rules: W3C Trace Context, sections 3 and 4.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from ingress.field_edits import FieldEdits
from ingress.message import Request

TRACEPARENT: Final = b"traceparent"
TRACESTATE: Final = b"tracestate"

MAX_STATE: Final = 4096
"""Bytes of a ``tracestate`` that is kept; section 3.3.1.5 asks for 512."""

_MAX_MEMBERS: Final = 32
_SAMPLED: Final = 0x01
_RANDOM: Final = 0x02
"""Level 2: the id is random. Who continues a trace says so, too."""

_PARENT: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_MEMBER: Final = re.compile(
    rb"(?:[a-z0-9][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
    rb"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)


class TraceParent(NamedTuple):
    """A span that somebody else has begun."""

    trace_id: int
    span_id: int
    flags: int

    @property
    def is_sampled(self) -> bool:
        """Whether its trace is recorded there."""
        return bool(self.flags & _SAMPLED)


class TraceContext(NamedTuple):
    """The span of an exchange."""

    trace_id: int
    span_id: int
    parent: TraceParent | None
    """The span of the client, if its trace is continued."""

    state: bytes
    """The ``tracestate`` of a trace that is continued; it goes on unchanged."""

    is_sampled: bool
    """Whether it is recorded."""

    edits: FieldEdits
    """
    The changes by which endpoints continue the trace, below `attempt_id` if it is sampled. All
    attempts send the same head, so that in the end the last one gets this id.
    """

    attempt_id: int
    """The span of an attempt; that of the exchange if it is not sampled."""

    operation_name: str = ""
    is_secure: bool | None = None
    """Whether the client uses https; None if nobody has looked."""

    @property
    def own_edits(self) -> FieldEdits:
        """The changes by which whoever is asked for another reason does so, below the exchange."""
        return _edits(self.trace_id, self.span_id, self.parent, self.state, self.is_sampled)


def read_parent(request: Request) -> TraceParent | None:
    """
    :return: the span that a request names; None without exactly one valid ``traceparent``.
    """
    values = [value for key, _, value in request.fields if key == TRACEPARENT]
    if len(values) != 1 or len(values[0]) > MAX_STATE:
        return None
    match = _PARENT.fullmatch(values[0])
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == b"ff" or (version == b"00" and rest is not None):
        return None
    found = TraceParent(int(trace_id, 16), int(span_id, 16), int(flags, 16))
    return found if found.trace_id and found.span_id else None


def read_state(request: Request) -> bytes:
    """
    :return: the ``tracestate`` of a request, of several fields as one; empty without a valid one.
    """
    values = [value for key, _, value in request.fields if key == TRACESTATE]
    if not values:
        return b""
    state = b",".join(values)
    if len(state) > MAX_STATE:
        return b""
    members = [member.strip(b" \t") for member in state.split(b",")]
    members = [member for member in members if member]
    is_valid = len(members) <= _MAX_MEMBERS and all(map(_MEMBER.fullmatch, members))
    return b",".join(members) if is_valid else b""


def begin(
    trace_id: int,
    span_id: int,
    parent: TraceParent | None,
    state: bytes,
    *,
    is_sampled: bool,
    attempt_id: int = 0,
    operation_name: str = "",
    is_secure: bool | None = None,
) -> TraceContext:
    """
    :param trace_id: that of `parent`, or a new one.
    :param state: of a trace that is continued; empty to drop what the client sent.
    :param attempt_id: the span that is the parent of those of the endpoint; 0 for `span_id`.
    :return: the span, with the changes that say so to the endpoint.
    """
    attempt_id = attempt_id or span_id
    edits = _edits(trace_id, attempt_id, parent, state, is_sampled)
    return TraceContext(
        trace_id, span_id, parent, state, is_sampled, edits, attempt_id, operation_name, is_secure
    )


def _edits(
    trace_id: int, span_id: int, parent: TraceParent | None, state: bytes, is_sampled: bool
) -> FieldEdits:
    flags = (_SAMPLED if is_sampled else 0) | (parent.flags & _RANDOM if parent is not None else 0)
    value = b"00-%032x-%016x-%02x" % (trace_id, span_id, flags)
    fields = ((TRACEPARENT, value), (TRACESTATE, state)) if state else ((TRACEPARENT, value),)
    removed = frozenset[bytes]() if state else frozenset({TRACESTATE})
    return FieldEdits(replace=fields, remove=removed)
