"""
Patterns of paths, for hosts with an ordered list of them: regular expressions and plain paths.

A host whose rules ask for regular expressions has such a list in place of a tree, and the first
pattern that matches wins (docs/compatibility.md, section 2.2, ``use-regex``).
"""

from __future__ import annotations

import re
from dataclasses import field
from enum import Enum
from typing import Final

from ingress.frozen import dataclass
from ingress.linear_pattern import LinearPattern
from ingress.policy.context import Captures
from ingress.routing.literal_beginning import as_requests_escape, literal_beginning

PATTERN_CHARACTERS: Final = re.compile(r"[()\[\]{}*+?|^$\\]")
"""Characters of ingress-nginx's regular expressions that no path contains by chance."""

_NOTHING: Final[Captures] = ()


_COMMON: Final = re.compile(
    rb"(?P<beginning>/[A-Za-z0-9/_~%!&,;:=@\-]*)(?P<tail>\(/\|\$\)\(\.\*\)|/\?\(\.\*\)|\(\.\*\))"
)
"""
The regular expressions that nearly all Ingresses have: text, and then one of three ends. They need
no engine, and cost a tenth of what they would cost with one.
"""


class Tail(Enum):
    """The end of a common expression."""

    SEGMENT = b"(/|$)(.*)"
    SLASH = b"/?(.*)"
    ALL = b"(.*)"

    def captures(self, rest: bytes) -> Captures | None:
        """
        :param rest: of a path, behind the text before the tail.
        :return: as `PathPattern.captures`.
        """
        if self is Tail.ALL:
            return (rest,)
        if self is Tail.SLASH:
            return (rest.removeprefix(b"/"),)
        if not rest:
            return (b"", b"")
        return (b"/", rest[1:]) if rest[:1] == b"/" else None


class PathForm(Enum):
    """How a pattern is compared with a path."""

    EXACT = "Exact"
    PREFIX = "Prefix"
    """By whole segments: ``/a`` matches ``/a`` and ``/a/b``."""

    BEGINNING = "ImplementationSpecific"
    """By characters: ``/a`` matches ``/ab``."""

    REGULAR_EXPRESSION = "RegularExpression"
    """
    From the beginning of the path, to no particular end: nginx's ``^TEXT``. An alternative behind
    the first one of ``/a|/b`` therefore matches anywhere in the path.
    """

    UNKNOWN = "Unknown"
    """
    A regular expression that cannot be matched: it may match each path that has its literal
    beginning, and matches no other one.
    """


_FORMS: Final = tuple(PathForm)


@dataclass(frozen=True, slots=True)
class PathPattern:
    """
    A condition on the path of a request.

    :raises ingress.linear_pattern.PatternRefused: for a regular expression that cannot be matched.
    """

    form: PathForm
    text: bytes
    """A canonical path, or a regular expression as its author wrote it."""

    ignores_case: bool = False

    beginning: bytes = field(init=False, repr=False, compare=False)
    """All paths that match begin with this, in lower case."""

    expression: LinearPattern | None = field(init=False, repr=False, compare=False)
    """What is searched for in the path; None if `beginning` is all there is to compare."""

    tail: Tail | None = field(init=False, repr=False, compare=False)
    """What follows `beginning` in a common expression."""

    def __post_init__(self) -> None:
        beginning, expression, tail = self.text.lower(), None, None
        if self.form is PathForm.PREFIX:
            beginning = beginning.removesuffix(b"/") or b"/"
        elif self.form is PathForm.UNKNOWN:
            beginning, _ = literal_beginning(self.text)
        elif self.ignores_case and (common := self._common()) is not None:
            beginning, tail = common["beginning"].lower(), Tail(common["tail"])
        elif self.form is PathForm.REGULAR_EXPRESSION:
            beginning, is_literal = literal_beginning(self.text)
            if not is_literal or not self.ignores_case:
                expression = LinearPattern(b"^" + as_requests_escape(self.text), self.ignores_case)
        object.__setattr__(self, "beginning", beginning)
        object.__setattr__(self, "expression", expression)
        object.__setattr__(self, "tail", tail)

    def _common(self) -> re.Match[bytes] | None:
        is_expression = self.form is PathForm.REGULAR_EXPRESSION
        return _COMMON.fullmatch(self.text) if is_expression else None

    def captures(self, path: bytes) -> Captures | None:
        """
        :param path: a canonical path.
        :return: what the groups of a regular expression match, otherwise nothing; None if the
            path does not match.
        :raises ingress.linear_pattern.TextTooLong: if that would take too long to find out.
        """
        if self.tail is not None:
            beginning = self.beginning
            is_below = path.lower().startswith(beginning)
            return self.tail.captures(path[len(beginning) :]) if is_below else None
        if self.expression is not None:
            return self.expression.search(path)
        if self.form in _LITERAL:
            return _NOTHING if path.lower().startswith(self.beginning) else None
        text = self.text
        if self.ignores_case:
            text, path = text.lower(), path.lower()
        if self.form is PathForm.EXACT:
            return _NOTHING if path == text else None
        if self.form is PathForm.PREFIX:
            text = text.removesuffix(b"/")
            is_below = path.startswith(text) and path[len(text) : len(text) + 1] in (b"", b"/")
            return _NOTHING if is_below else None
        return _NOTHING if path.startswith(text) else None

    @property
    def precedence(self) -> tuple[int, int, bytes]:
        """
        Sorts the patterns of one host: the longest first, as ingress-nginx does. Of equal ones
        Exact goes before Prefix before ImplementationSpecific before regular expressions; these
        are sorted in reverse.
        """
        form = min(_FORMS.index(self.form), _FORMS.index(PathForm.REGULAR_EXPRESSION))
        return (-len(self.text), form, _reversed(self.text))


_LITERAL: Final = (PathForm.REGULAR_EXPRESSION, PathForm.UNKNOWN)


def _reversed(text: bytes) -> bytes:
    """Sorts the last text of the alphabet first, among texts of one length."""
    return bytes(255 - octet for octet in text)
