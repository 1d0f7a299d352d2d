"""
The directives about fields of responses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ingress.duration import parse_duration
from ingress.field_edits import check_field
from ingress.policy.snippet.draft import Draft
from ingress.policy.snippet.program import AddHeader, Expires, MoreHeaders
from ingress.policy.snippet.tokens import Directive, SnippetRefused

_STATUS: Final = re.compile(r"[1-5][0-9]{2}")
_FOREVER: Final = 315360000


def field_name(directive: Directive, written: str) -> bytes:
    """
    :return: the name of a field.
    :raises SnippetRefused: if it is none, or one that belongs to the connection.
    """
    try:
        name = written.encode("ascii")
        check_field(name, b"")
    except ValueError as error:
        raise SnippetRefused(f"{directive.name}: {error}", directive.line) from None
    return name


def read_add_header(draft: Draft, directive: Directive) -> None:
    """``add_header name value [always]``."""
    texts = directive.texts
    if len(texts) not in (2, 3) or (len(texts) == 3 and texts[2] != "always"):
        raise SnippetRefused("add_header has a name, a value and perhaps always", directive.line)
    name = field_name(directive, texts[0])
    draft.add_headers.append(AddHeader(name, draft.text(texts[1]), len(texts) == 3))


def read_hidden(draft: Draft, directive: Directive) -> None:
    """``proxy_hide_header name``."""
    if len(directive.arguments) != 1:
        raise SnippetRefused("proxy_hide_header has a name", directive.line)
    draft.hidden.add(field_name(directive, directive.texts[0]).lower())


def read_more_set(draft: Draft, directive: Directive) -> None:
    """``more_set_headers [-s statuses] [-t types] 'Name: value' …``."""
    fields, statuses, types = _options(directive)
    sets = []
    for written in fields:
        name, colon, value = written.partition(":")
        if not colon:
            raise SnippetRefused(f"{directive.name} has 'Name: value'", directive.line)
        sets.append((field_name(directive, name.strip()), draft.text(value.strip())))
    draft.more_headers.append(MoreHeaders(tuple(sets), (), statuses, types))


def read_more_clear(draft: Draft, directive: Directive) -> None:
    """``more_clear_headers [-s statuses] [-t types] 'Name' …``, where a name may end with *."""
    fields, statuses, types = _options(directive)
    names = []
    for written in fields:
        is_open = written.endswith("*")
        name = field_name(directive, written.removesuffix("*").rstrip(":") or "X")
        names.append(name.lower() + b"*" if is_open else name.lower())
    draft.more_headers.append(MoreHeaders((), tuple(names), statuses, types))


def _options(directive: Directive) -> tuple[list[str], frozenset[int], frozenset[bytes]]:
    """:return: the arguments that are no options, the statuses and the media types."""
    fields: list[str] = []
    statuses: set[int] = set()
    types: set[bytes] = set()
    words = iter(directive.texts)
    for word in words:
        if word == "-s":
            statuses.update(_statuses(directive, next(words, "")))
        elif word == "-t":
            types.update(each.lower().encode() for each in next(words, "").split())
        elif word.startswith("-"):
            raise SnippetRefused(f"{directive.name} has no option {word}", directive.line)
        else:
            fields.append(word)
    if not fields:
        raise SnippetRefused(f"{directive.name} names no field", directive.line)
    return fields, frozenset(statuses), frozenset(types)


def _statuses(directive: Directive, written: str) -> Iterator[int]:
    for word in written.split() or [written]:
        if not _STATUS.fullmatch(word):
            raise SnippetRefused(f"{directive.name}: -s has statuses", directive.line)
        yield int(word)


def read_expires(draft: Draft, directive: Directive) -> None:
    """``expires [modified] time``, ``expires epoch | max | off``."""
    if len(directive.arguments) != 1:
        raise SnippetRefused("expires has one time, epoch, max or off", directive.line)
    (written,) = directive.texts
    seconds = parse_duration(written.removeprefix("-")) if "ms" not in written else None
    if written == "off":
        draft.expires = None
    elif written == "epoch":
        draft.expires = Expires(None, b"Thu, 01 Jan 1970 00:00:01 GMT", b"no-cache")
    elif written == "max":
        control = b"max-age=%d" % _FOREVER
        draft.expires = Expires(None, b"Thu, 31 Dec 2037 23:55:55 GMT", control)
    elif seconds is not None:
        draft.expires = Expires(int(-seconds if written.startswith("-") else seconds))
    else:
        accepted = "a time such as 30s, 1h or -1, epoch, max or off"
        raise SnippetRefused(f"expires: {accepted} is supported", directive.line)
