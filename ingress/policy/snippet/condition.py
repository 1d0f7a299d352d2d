"""
The conditions of ``if``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ingress.linear_pattern import LinearPattern
from ingress.policy.snippet.program import Condition, Test
from ingress.policy.snippet.tokens import Directive, SnippetRefused
from ingress.policy.variables import VariableText

_WITH_TEXT: Final = {"=": Test.EQUAL, "!=": Test.NOT_EQUAL}
_WITH_PATTERN: Final = {
    # The test, and whether upper and lower case are equal.
    "~": (Test.MATCHES, False),
    "~*": (Test.MATCHES, True),
    "!~": (Test.DOES_NOT_MATCH, False),
    "!~*": (Test.DOES_NOT_MATCH, True),
}
_ACCEPTED: Final = (
    "if has ($variable), or ($variable OPERATOR value) with one of = != ~ ~* !~ !~*; files of this "
    "machine cannot be tested"
)


def read_condition(directive: Directive, text: Callable[[str], VariableText]) -> Condition:
    """
    :param directive: an ``if``.
    :param text: compiles a text with variables.
    :raises SnippetRefused: for anything but a comparison of a variable.
    """
    words = _without_brackets(directive)
    if len(words) not in (1, 3) or not words[0].startswith("$"):
        raise SnippetRefused(_ACCEPTED, directive.line)
    variable = text(words[0])
    if len(variable.parts) != 1:
        raise SnippetRefused(_ACCEPTED, directive.line)
    if len(words) == 1:
        return Condition(variable, Test.IS_TRUE)
    _, operator, value = words
    if operator in _WITH_TEXT:
        return Condition(variable, _WITH_TEXT[operator], text(value))
    if operator in _WITH_PATTERN:
        test, ignores_case = _WITH_PATTERN[operator]
        return Condition(variable, test, pattern=LinearPattern.of(value, ignores_case=ignores_case))
    raise SnippetRefused(_ACCEPTED, directive.line)


def _without_brackets(directive: Directive) -> list[str]:
    """The words between the brackets, which may stand apart or not."""
    words = [word.text for word in directive.arguments]
    quoted = [word.is_quoted for word in directive.arguments]
    if not words or quoted[0] or not words[0].startswith("("):
        raise SnippetRefused(_ACCEPTED, directive.line)
    if quoted[-1] or not words[-1].endswith(")"):
        raise SnippetRefused(_ACCEPTED, directive.line)
    words[-1] = words[-1].removesuffix(")")
    words[0] = words[0].removeprefix("(")
    if not words[-1] and not quoted[-1]:
        del words[-1]
    if words and not words[0]:
        del words[0]
    return words
