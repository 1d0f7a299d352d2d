"""
A regular expression, and what takes the place of a text in which it is found: the form with ``~``
of nginx's directives ``proxy_redirect``, ``proxy_cookie_domain`` and ``proxy_cookie_path``.

Source of the rules: the documentation of ``ngx_http_proxy_module``.
"""

from __future__ import annotations

import re
from typing import Final

from ingress.frozen import dataclass
from ingress.linear_pattern import LinearPattern, PatternRefused, TextTooLong

_PATTERN: Final = re.compile(r"~(\*?)([\x21-\x7e]{1,2000})")
REPLACEMENT: Final = re.compile(r"(?:[A-Za-z0-9\-._~/:,?&=%+@!#\[\]*]|\$[1-9]){1,2000}")
"""What takes the place of a text: characters of a URL, and ``$1`` to ``$9``."""

_GROUP: Final = re.compile(r"\$([1-9])")


class ReplacementRefused(ValueError):
    """A pattern or its replacement cannot be used; the message is a clause that says why."""


@dataclass(frozen=True, slots=True)
class PatternReplacement:
    """A pattern, and the text that replaces the whole of what it is found in."""

    pattern: LinearPattern
    texts: tuple[bytes, ...]
    """The text before, between and behind the groups; one more than there are groups."""

    groups: tuple[int, ...]
    """The numbers of the groups, from 1."""

    @classmethod
    def read(
        cls, pattern: str, replacement: str, *, ignores_case: bool = False
    ) -> PatternReplacement:
        """
        :param pattern: ``~`` or, without regard to case, ``~*``, with a regular expression behind.
        :param replacement: with ``$1`` to ``$9`` for its groups, and no other variable.
        :param ignores_case: whether ``~`` alone disregards case as well.
        :raises ReplacementRefused: with the reason.
        """
        compiled = read_pattern(pattern, ignores_case=ignores_case)
        if REPLACEMENT.fullmatch(replacement) is None:
            raise ReplacementRefused("the replacement may have $1 to $9 and no other variable")
        parts = _GROUP.split(replacement)
        texts = tuple(part.encode("ascii") for part in parts[::2])
        return cls(compiled, texts, tuple(map(int, parts[1::2])))

    def apply(self, text: bytes) -> bytes:
        """:return: the replacement; the text itself if the pattern is not found in it."""
        try:
            captures = self.pattern.search(text)
        except TextTooLong:
            captures = None
        if captures is None:
            return text
        found = self.texts[0]
        for group, behind in zip(self.groups, self.texts[1:], strict=True):
            found += (captures[group - 1] or b"") if group <= len(captures) else b""
            found += behind
        return found


def read_pattern(written: str, *, ignores_case: bool = False) -> LinearPattern:
    """
    Read a pattern, as `PatternReplacement.read` does.

    :raises ReplacementRefused: with the reason.
    """
    parts = _PATTERN.fullmatch(written)
    if parts is None:
        raise ReplacementRefused("a regular expression has no blanks, and 2,000 characters at most")
    try:
        return LinearPattern.of(parts[2], ignores_case=ignores_case or bool(parts[1]))
    except PatternRefused as error:
        raise ReplacementRefused(str(error)) from error
