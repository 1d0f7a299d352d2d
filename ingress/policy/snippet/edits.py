"""
The changes to fields that a level asks for.
"""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import formatdate
from typing import Final

from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.policy.decision import SUCCESSES
from ingress.policy.snippet.program import (
    Expires,
    InputHeader,
    MoreHeaders,
)
from ingress.policy.snippet.run import SnippetRun, field_value
from ingress.policy.snippet.table import expand


def request_edits(run: SnippetRun) -> FieldEdits:
    """:return: the changes to the head that the endpoint gets."""
    edits = NO_EDITS
    for header in (*run.level.input_headers, *run.level.proxy_headers):
        edits = edits.then(_input_edit(header, run))
    return edits


def _input_edit(header: InputHeader, run: SnippetRun) -> FieldEdits:
    name = header.name
    if header.only_replaces and run.request.field(name.lower()) is None:
        return NO_EDITS
    value = b"" if header.value is None else field_value(expand(header.value, run))
    if not value:
        return FieldEdits(remove=frozenset({name.lower()}))
    return FieldEdits(replace=((name, value),))


def response_edits(
    run: SnippetRun, status: int, media_type: bytes, names: Iterable[bytes], *, is_own: bool
) -> FieldEdits:
    """
    :param status: that of the response.
    :param media_type: its Content-Type; empty without one.
    :param names: the names of its fields in lower case.
    :param is_own: whether it is an answer of the proxy's own.
    :return: the changes to its head, in nginx's order: what is hidden, ``more_*_headers``, then
        ``expires`` and ``add_header``.
    """
    level = run.level
    known = set(names)
    edits = NO_EDITS
    if level.hidden and not is_own:
        edits = FieldEdits(remove=level.hidden)
    plain_type = media_type.partition(b";")[0].strip().lower()
    for more in level.more_headers:
        if (not more.statuses or status in more.statuses) and (
            not more.types or plain_type in more.types
        ):
            edits = edits.then(_more_edits(more, run, known))
    is_usual = status in SUCCESSES
    if level.expires is not None and is_usual:
        edits = edits.then(_expires_edits(level.expires, run))
    added = []
    for header in level.add_headers:
        if header.is_always or is_usual:
            value = field_value(expand(header.value, run))
            if value:
                added.append((header.name, value))
    return edits.then(FieldEdits(add=tuple(added))) if added else edits


def _more_edits(more: MoreHeaders, run: SnippetRun, known: set[bytes]) -> FieldEdits:
    replaced, removed = [], set()
    for name, text in more.sets:
        value = field_value(expand(text, run))
        if value:
            replaced.append((name, value))
            known.add(name.lower())
        else:
            removed.add(name.lower())
    for name in more.clears:
        if name.endswith(b"*"):
            beginning = name[:-1]
            removed.update(each for each in known if each.startswith(beginning))
        else:
            removed.add(name)
    return FieldEdits(replace=tuple(replaced), remove=frozenset(removed - _FRAMING))


_FRAMING: Final = frozenset(
    {b"connection", b"content-length", b"date", b"transfer-encoding", b"trailer", b"upgrade"}
)
"""What a wildcard must not take with it."""


def _expires_edits(expires: Expires, run: SnippetRun) -> FieldEdits:
    date, control = expires.date, expires.control
    if expires.seconds is not None:
        now = run.context.wall_clock()
        date = formatdate(max(0.0, now + expires.seconds), usegmt=True).encode()
        control = b"no-cache" if expires.seconds < 0 else b"max-age=%d" % expires.seconds
    return FieldEdits(replace=((b"Expires", date), (b"Cache-Control", control)))
