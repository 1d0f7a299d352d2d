"""
The directives of a snippet, as a tree of words with their lines.

The lexer is that of crossplane, which nginx's makers keep; its parser is not used, because it opens
the files that ``include`` names.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Final, NamedTuple

from ingress.errors import IngressError
from ingress.problem import shown

MAX_LENGTH: Final = 16 * 1024
"""Characters of a snippet."""

MAX_DIRECTIVES: Final = 500
MAX_DEPTH: Final = 4
"""Blocks within blocks."""

_END: Final = "# the end of the snippet"


_MAX_MESSAGE: Final = 300
"""Characters of what is said about a snippet: a line of the log stays one."""


class SnippetRefused(IngressError):
    """
    A snippet is not carried out.

    :param line: within the snippet, from 1.
    """

    def __init__(self, message: str, line: int) -> None:
        # A message quotes words of the snippet, which may be of any length and of any characters.
        super().__init__(f"line {line}: {shown(message, _MAX_MESSAGE)}")
        self.line = line


class Word(NamedTuple):
    """An argument of a directive."""

    text: str
    is_quoted: bool = False


class Directive(NamedTuple):
    """A directive as it is written."""

    name: str
    arguments: tuple[Word, ...]
    line: int
    block: tuple[Directive, ...] | None = None
    """The directives in its braces; None without any."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The arguments without regard to quotes."""
        return tuple(word.text for word in self.arguments)


class _Token(NamedTuple):
    text: str
    line: int
    is_quoted: bool

    def is_mark(self, mark: str) -> bool:
        return self.text == mark and not self.is_quoted


def read_tokens(text: str) -> tuple[Directive, ...]:
    """
    :param text: a snippet.
    :raises SnippetRefused: if it is not what nginx's grammar has, or too much of it.
    """
    if len(text) > MAX_LENGTH:
        raise SnippetRefused(f"a snippet has at most {MAX_LENGTH:,} characters", 1)
    reader = _Reader(_lex(text))
    return reader.block(0)


def _lex(text: str) -> Iterator[_Token]:
    try:
        from crossplane.errors import NgxParserBaseException
        from crossplane.lexer import _lex_file_object
    except ImportError:
        message = (
            "crossplane, which reads snippets, is not installed (pip install 'txingress[snippets]')"
        )
        raise SnippetRefused(message, 1) from None
    line = 1
    last = ""
    try:
        # A quote or a word that does not end would be left out without a word: the comment shows
        # that all of the text was read.
        for token, line, is_quoted in _lex_file_object(StringIO(f"{text}\n{_END}\n")):
            last = token
            if is_quoted or not token.startswith("#"):
                yield _Token(token, line, is_quoted)
    except (NgxParserBaseException, StopIteration, IndexError) as error:
        raise SnippetRefused(f"it is not nginx's grammar ({error})", line) from None
    if last != _END:
        raise SnippetRefused("a quote is not closed", line)


class _Reader:
    def __init__(self, tokens: Iterator[_Token]) -> None:
        self._tokens = tokens
        self._count = 0

    def block(self, depth: int) -> tuple[Directive, ...]:
        """Read directives up to the brace that ends the block, or to the end of the text."""
        found: list[Directive] = []
        for first in self._tokens:
            if first.is_mark("}"):
                if not depth:
                    raise SnippetRefused("there is a } without its {", first.line)
                return tuple(found)
            found.append(self._directive(first, depth))
        if depth:
            line = found[-1].line if found else 1
            raise SnippetRefused("a { has no }", line)
        return tuple(found)

    def _directive(self, first: _Token, depth: int) -> Directive:
        self._count += 1
        if self._count > MAX_DIRECTIVES:
            raise SnippetRefused(f"a snippet has at most {MAX_DIRECTIVES} directives", first.line)
        if first.is_mark(";") or first.is_mark("{"):
            raise SnippetRefused(
                f"the name of a directive is missing before {first.text}", first.line
            )
        words: list[Word] = []
        for token in self._tokens:
            if token.is_mark(";"):
                return Directive(first.text, tuple(words), first.line)
            if token.is_mark("{"):
                if depth >= MAX_DEPTH:
                    raise SnippetRefused(
                        f"blocks are nested more than {MAX_DEPTH} deep", first.line
                    )
                block = self.block(depth + 1)
                return Directive(first.text, tuple(words), first.line, block)
            if token.is_mark("}"):
                break
            words.append(Word(token.text, token.is_quoted))
        raise SnippetRefused(f"{first.text} does not end with ;", first.line)
