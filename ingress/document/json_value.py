"""
JSON text to plain values: faster than as YAML, and with JSON's escapes and tabs.

The items of lists below the root are decoded one by one, so that a long list
(``kubectl get -o json``) can be read in slices.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from typing import Final, NoReturn

from ingress.document.line_index import Span, Spans
from ingress.document.yaml_value import MAX_DEPTH, ValueRefused

_JSON_START: Final = re.compile(r"\s*+[{\[]")


def looks_like_json(text: str) -> bool:
    """Whether the text may be JSON; YAML in flow style begins the same way."""
    return _JSON_START.match(text) is not None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueRefused("a key appears twice in one object", 0)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)
_SPACE: Final = re.compile(r"[ \t\n\r]*")


class _Reader:
    """Walks through a text; every method starts where the last one ended."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.spans: Spans = {}
        self._position = 0
        self._line = 0
        self._counted = 0

    def peek(self) -> str:
        """The next character that is not a space; empty at the end."""
        space = _SPACE.match(self.text, self._position)
        if space is not None:
            self._position = space.end()
        return self.text[self._position : self._position + 1]

    def expect(self, characters: str) -> str:
        """Take one of the characters."""
        found = self.peek()
        if not found or found not in characters:
            wanted = " or ".join(repr(character) for character in characters)
            raise json.JSONDecodeError(f"Expecting {wanted}", self.text, self._position)
        self._position += 1
        return found

    def value(self) -> object:
        """Take a whole value."""
        self.peek()
        try:
            value, self._position = _DECODER.raw_decode(self.text, self._position)
        except RecursionError:
            raise ValueRefused(_TOO_DEEP, 0) from None
        except ValueRefused as error:
            raise ValueRefused(error.message, self.line()) from None
        if is_deeper(value, MAX_DEPTH - 2):
            raise ValueRefused(_TOO_DEEP, self.line())
        return value

    def key(self) -> str:
        """Take a key and the colon after it."""
        if self.peek() != '"':
            message = "Expecting property name enclosed in double quotes"
            raise json.JSONDecodeError(message, self.text, self._position)
        key = self.value()
        self.expect(":")
        return str(key)

    def line(self) -> int:
        """The current line, from 0."""
        self._line += self.text.count("\n", self._counted, self._position)
        self._counted = self._position
        return self._line

    def items(self, key: str) -> Generator[None, None, list[object]]:
        """Take a list, one item a step, and note where each item stands."""
        found: list[object] = []
        self.expect("[")
        if self.peek() == "]":
            self.expect("]")
            return found
        while True:
            self.peek()
            line, start = self.line(), self._position
            found.append(self.value())
            self.spans[key, len(found) - 1] = Span(line, 0, start, self._position)
            yield
            if self.expect(",]") == "]":
                return found

    def document(self) -> Generator[None, None, object]:
        """Take everything."""
        root: object
        if self.peek() == "{":
            root = yield from self._root_object()
        else:
            root = yield from self.items("")
            self.spans = {}
        if self.peek():
            raise json.JSONDecodeError("Extra data", self.text, self._position)
        return root

    def _root_object(self) -> Generator[None, None, dict[str, object]]:
        root: dict[str, object] = {}
        self.expect("{")
        if self.peek() == "}":
            self.expect("}")
            return root
        while True:
            self.peek()
            line = self.line()
            key = self.key()
            if key in root:
                raise ValueRefused("a key appears twice in one object", line)
            is_list = self.peek() == "["
            root[key] = (yield from self.items(key)) if is_list else self.value()
            if self.expect(",}") == "}":
                return root


_TOO_DEEP: Final = f"more than {MAX_DEPTH} levels of nesting"


def is_deeper(value: object, depth: int) -> bool:
    """Whether there are more than ``depth`` collections within one another."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        if not level:
            return False
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
    return bool(level)


def build_json(text: str) -> Generator[None, None, tuple[object, Spans]]:
    """
    Build the one value in ``text``; yields between slices.

    :return: the value, and the spans of the items below its root.
    :raises ValueRefused: for keys that are there twice, and for deep nesting.
    :raises ValueError: for what is no JSON (but may still be YAML).
    """
    reader = _Reader(text)
    value = yield from reader.document()
    return value, reader.spans
