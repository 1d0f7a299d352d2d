"""
What can be said of a regular expression for paths without matching it: the text that all of its
matches begin with, and the characters that requests have only escaped.

The syntax is RE2's. What is not understood here is left to RE2.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from ingress.linear_pattern import PatternRefused

_TOKEN: Final = re.compile(
    rb"""
    (?P<class>\[\^?\]?(?:\[:\^?[a-z]+:\]|\\.|[^\]\\])*\]?)
  | (?P<escape>\\(?:x\{[0-9A-Fa-f]*\}?|x[0-9A-Fa-f]{0,2}|[0-7]{1,3}|.)?)
  | (?P<group>\((?:\?(?:P?<[A-Za-z0-9_]*>|[A-Za-z\-]*:?))?)
  | (?P<quantifier>[*?]|\{[0-9]*,?[0-9]*\})
  | (?P<more>[+])
  | (?P<special>[)|^$.])
  | (?P<plain>.)
    """,
    re.VERBOSE | re.DOTALL,
)
"""One piece of an expression. Each octet begins a piece, and no alternative backtracks."""

_UNESCAPED: Final = re.compile(rb'[\x00-\x20"<>\x7f-\xff]')
"""Characters that the canonical path of a request has only as escapes, if at all."""


_REPEATED_FLAGS: Final = re.compile(rb"\(\?[A-Za-z\-]*\)[*?{]")
"""Flags with a quantifier behind them, which is that of what comes before the flags."""


class LiteralBeginning(NamedTuple):
    """The literal beginning of an expression."""

    text: bytes
    """In lower case."""

    is_whole: bool
    """Whether there is nothing else in the expression."""


def literal_beginning(expression: bytes) -> LiteralBeginning:
    """
    :param expression: a regular expression, valid or not, that is matched from the beginning.
    :return: the text that every match begins with, in any case. Empty for one with alternatives
        outside of all groups.
    """
    if b"\\Q" in expression or _REPEATED_FLAGS.search(expression) is not None:
        return LiteralBeginning(b"", is_whole=False)
    found, depth, is_over, is_whole = bytearray(), 0, False, True
    last = 0
    for match in _TOKEN.finditer(expression):
        kind, text = match.lastgroup, match.group()
        if text == b"|" and depth <= 0:
            return LiteralBeginning(b"", is_whole=False)
        depth += (kind == "group") - (text == b")")
        literal = _literal(kind, text)
        if kind == "quantifier" and not is_over:
            del found[last:]
        is_over = is_over or literal is None
        is_whole = is_whole and literal is not None
        if literal is not None and not is_over:
            last = len(found)
            found += literal
    return LiteralBeginning(bytes(found).lower(), is_whole)


def _literal(kind: str | None, text: bytes) -> bytes | None:
    """:return: the text that a piece stands for; None if it may stand for others as well."""
    if kind == "plain":
        return escaped(text)
    if kind == "escape" and len(text) == 2 and not text[1:].isalnum() and text[1] < 0x80:
        return escaped(text[1:])
    return None


def escaped(text: bytes) -> bytes:
    """:return: the text as the canonical path of a request has it."""
    return _UNESCAPED.sub(lambda match: b"%%%02X" % match[0][0], text)


def as_requests_escape(expression: bytes) -> bytes:
    """
    :param expression: a regular expression as its author wrote it.
    :return: the same with escapes in place of the characters that no path of a request has,
        such as ``%20`` for a blank.
    :raises PatternRefused: if there is such a character within brackets.
    """
    if _UNESCAPED.search(expression) is None:
        return expression
    return b"".join(
        _with_escapes(match.lastgroup, match.group()) for match in _TOKEN.finditer(expression)
    )


def _with_escapes(kind: str | None, text: bytes) -> bytes:
    if _UNESCAPED.search(text) is None:
        return text
    if kind == "class":
        raise PatternRefused("it has a character within brackets that requests escape")
    return b"(?:%b)" % escaped(text.removeprefix(b"\\"))
