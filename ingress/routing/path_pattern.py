"""
Patterns of paths, for hosts with an ordered list of them: regular expressions and plain paths.

A host whose rules ask for regular expressions has such a list in place of a tree, and the first
pattern that matches wins (docs/compatibility.md, section 2.2, ``use-regex``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from ingress.policy.context import Captures

PATTERN_CHARACTERS: Final = re.compile(r"[()\[\]{}*+?|^$\\]")
"""Characters of ingress-nginx's regular expressions that no path contains by chance."""

_NOTHING: Final[Captures] = ()


class PathForm(Enum):
    """How a pattern is compared with a path."""

    EXACT = "Exact"
    PREFIX = "Prefix"
    """By whole segments: ``/a`` matches ``/a`` and ``/a/b``."""

    BEGINNING = "ImplementationSpecific"
    """By characters: ``/a`` matches ``/ab``."""

    REGULAR_EXPRESSION = "RegularExpression"
    """From the beginning of the path, to no particular end."""


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A condition on the path of a request."""

    form: PathForm
    text: bytes
    """A canonical path, or a regular expression."""

    ignores_case: bool = False

    def captures(self, path: bytes) -> Captures | None:
        """
        :param path: a canonical path.
        :return: what the groups of a regular expression match, otherwise nothing; None if the
            path does not match.
        """
        if self.form is PathForm.REGULAR_EXPRESSION:
            match = compiled(self.text, self.ignores_case).match(path)
            return None if match is None else match.groups()
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
        Exact goes before Prefix before ImplementationSpecific before regular expressions.
        """
        forms = tuple(PathForm)
        return (-len(self.text), forms.index(self.form), _reversed(self.text))


def _reversed(text: bytes) -> bytes:
    """Sorts the last text of the alphabet first, among texts of one length."""
    return bytes(255 - octet for octet in text)


@lru_cache(maxsize=4096)
def compiled(text: bytes, ignores_case: bool) -> re.Pattern[bytes]:
    """
    :return: the regular expression, ready for use.
    :raises re.error: if `text` is not a regular expression. The maker of a `PathPattern` must
        have tried it.
    """
    return re.compile(text, re.IGNORECASE if ignores_case else 0)
