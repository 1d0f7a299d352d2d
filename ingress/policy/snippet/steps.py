"""
The directives that nginx carries out in their order: ``set``, ``rewrite``, ``return``, ``break``.
"""

from __future__ import annotations

import re
from typing import Final

from ingress.linear_pattern import LinearPattern
from ingress.policy.snippet.draft import Draft
from ingress.policy.snippet.program import CLOSES, Break, Flag, Return, Rewrite, Set
from ingress.policy.snippet.table import is_fixed
from ingress.policy.snippet.tokens import Directive, SnippetRefused

_NAME: Final = re.compile(r"\$[A-Za-z0-9_]+")
_STATUS: Final = re.compile(r"[0-9]{3}")
_URL: Final = re.compile(r"(?:https?://|\$scheme)")


def read_set(draft: Draft, directive: Directive) -> None:
    """``set $name value``."""
    if len(directive.arguments) != 2 or not _NAME.fullmatch(directive.texts[0]):
        raise SnippetRefused("set has a $name and a value", directive.line)
    name = directive.texts[0][1:].lower()
    if is_fixed(name):
        raise SnippetRefused(f"set: ${name} cannot be changed", directive.line)
    draft.steps.append(Set(name.encode(), draft.text(directive.texts[1])))


def read_break(draft: Draft, directive: Directive) -> None:
    """``break``."""
    if directive.arguments:
        raise SnippetRefused("break has no arguments", directive.line)
    draft.steps.append(Break())


def read_return(draft: Draft, directive: Directive) -> None:
    """``return code [text]`` or ``return URL``."""
    texts = directive.texts
    if len(texts) == 1 and _URL.match(texts[0]):
        draft.steps.append(Return(302, draft.text(texts[0])))
        return
    if len(texts) not in (1, 2) or not _STATUS.fullmatch(texts[0]):
        raise SnippetRefused("return has a status, and a text or URL, or a URL", directive.line)
    status = int(texts[0])
    if not (200 <= status <= 599 or status == CLOSES):
        raise SnippetRefused(f"return: {status} is not the status of an answer", directive.line)
    draft.steps.append(Return(status, draft.text(texts[1]) if len(texts) == 2 else None))


def read_rewrite(draft: Draft, directive: Directive) -> None:
    """``rewrite regex replacement [flag]``."""
    texts = directive.texts
    flags = {flag.value: flag for flag in Flag if flag.value}
    if len(texts) not in (2, 3) or (len(texts) == 3 and texts[2] not in flags):
        accepted = "a regular expression, a replacement, and last, break, redirect or permanent"
        raise SnippetRefused(f"rewrite has {accepted}", directive.line)
    flag = flags[texts[2]] if len(texts) == 3 else Flag.NONE
    replacement = texts[1]
    if _URL.match(replacement) and flag is not Flag.PERMANENT:
        flag = Flag.REDIRECT
    drops_query = replacement.endswith("?")
    draft.steps.append(
        Rewrite(
            LinearPattern.of(texts[0]),
            draft.text(replacement.removesuffix("?")),
            flag,
            drops_query,
        )
    )
