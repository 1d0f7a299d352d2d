"""
YAML or JSON text to plain values; line numbers are found only when asked for.

A text is first split into its documents, so that an unchanged document of a
changed file is known by its text and need not be parsed again. Each document
is then parsed on its own, in slices where that is wanted.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Final, NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from ingress.errors import IngressError
from ingress.yaml_value import (
    MAX_DEPTH,
    EventSource,
    ValueRefused,
    build_value,
    line_of_event,
    open_events,
)

Path = tuple[str | int, ...]
"""Keys and indexes from the document's root: ``("spec", "rules", 0, "host")``."""


class DocumentError(IngressError):
    """
    The text is no YAML or JSON, or not of the kind that is accepted.

    :param line: from 1, in the file.
    """

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class DocumentText:
    """One document of a file, not parsed yet."""

    text: str
    line: int
    """The line of the file, from 1, on which ``text`` starts."""


_Lines = dict[str | int, tuple[int, "_Lines"]]
"""For each key or index: its line from 0, and the same for what is below it."""


@dataclass(slots=True)
class Document:
    """A parsed document; ``value`` is made of dict, list, str, int, float, bool and None."""

    value: object
    source: DocumentText
    _lines: _Lines | None = field(default=None, repr=False)

    @property
    def line(self) -> int:
        """The line of the file on which the content starts."""
        return self.source.line + _count_leading_lines(self.source.text)

    def line_of(self, path: Path) -> int:
        """
        The line of the file with the key or item at ``path``.

        Where there is no such path, the line of the nearest parent that exists.
        """
        if self._lines is None:
            self._lines = _find_lines(self.source.text)
        line, below = self.line - self.source.line, self._lines
        for step in path:
            if step not in below:
                break
            line, below = below[step]
        return self.source.line + line


def decode_text(data: bytes) -> str:
    """
    The text of a file: UTF-8, or UTF-16 with a byte order mark (as PowerShell writes it).

    :raises DocumentError: for anything else, with the line of the first bad byte.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding, name = "utf-16", "UTF-16"
    else:
        encoding, name = "utf-8-sig", "UTF-8"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DocumentError(f"is not {name} text", line) from None


_MARKER: Final = re.compile(r"(?:\A|\n)\ufeff?(---|\.\.\.)(?=[ \t\n]|\Z)")
"""
A line that starts or ends a document. YAML forbids such a line inside of every
scalar (specification 1.2, section 9.1.2), so that nothing is ever cut in two.
"""

_NOTHING: Final = re.compile(r"(?:[ \t]*(?:#.*)?\n|%.*\n)*(?:[ \t]*(?:#.*)?|%.*)")
"""Blank lines, comments and directives: no document."""


def split_documents(text: str) -> list[DocumentText]:
    """The documents of a text, in order; those without content are left out."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.removeprefix("\ufeff")
    newlines: list[int] | None = None
    found = []
    start = 0
    for marker in (*_MARKER.finditer(text), None):
        end = len(text) if marker is None else marker.start(1)
        content = text[start:end]
        if content.strip() not in ("", "---") and not _NOTHING.fullmatch(content):
            if newlines is None and start:
                newlines = [match.start() for match in re.finditer("\n", text)]
            line = 1 + (bisect_left(newlines, start) if newlines else 0)
            found.append(DocumentText(content, line))
        if marker is not None:
            # What follows "..." is a document of its own, without that marker.
            start = marker.start(1) if marker[1] == "---" else marker.end(1)
    return found


def load_documents(text: str) -> list[Document]:
    """
    Every document of a text; those without content are left out.

    :raises DocumentError: for the first one that is broken.
    """
    parsed = (parse_document(source) for source in split_documents(text))
    return [document for document in parsed if document.value is not None]


def parse_document(source: DocumentText) -> Document:
    """
    Parse one document at once.

    :raises DocumentError: if it is broken.
    """
    steps = parse_in_slices(source)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            document: Document = end.value
            return document


def parse_in_slices(source: DocumentText) -> Generator[None, None, Document]:
    """
    Parse one document; yields about every tenth of a millisecond, returns the Document.

    :raises DocumentError: if it is broken.
    """
    not_json: DocumentError | None = None
    if source.text.lstrip().startswith(("{", "[")):
        try:
            return Document(_parse_json(source), source)
        except DocumentError as error:
            not_json = error
    try:
        value = yield from build_value(source.text)
    except ValueRefused as error:
        raise DocumentError(error.message, source.line + error.line) from None
    except (yaml.YAMLError, ValueError) as error:
        if not_json is not None:
            raise not_json from None
        _refuse(error, source)
    return Document(value, source)


def _refuse(error: Exception, source: DocumentText) -> NoReturn:
    """Raise what PyYAML says as a DocumentError."""
    line, reason = 0, "is not text"
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = mark.line if mark else 0
        reason = f"is not YAML: {error.problem}"
        if error.context:
            reason = f"{reason} ({error.context})"
    elif isinstance(error, yaml.reader.ReaderError):
        line = source.text.count("\n", 0, error.position)
        reason = f"is not YAML: {error.reason}"
    if "{{" in source.text:
        reason = f"{reason}; templates must be rendered first (helm template)"
    raise DocumentError(reason, source.line + line) from None


class _DuplicateKey(ValueError):
    """A key is twice in one JSON object."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _DuplicateKey
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_JSON: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _parse_json(source: DocumentText) -> object:
    """:raises DocumentError: if the text is not JSON (but it may still be YAML)."""
    try:
        value = _JSON.decode(source.text)
    except json.JSONDecodeError as error:
        line = source.line + error.lineno - 1
        raise DocumentError(f"is not JSON: {error.msg}", line) from None
    except _DuplicateKey:
        raise DocumentError("a key is there twice in one JSON object", source.line) from None
    except RecursionError:
        raise DocumentError(f"more than {MAX_DEPTH} levels of nesting", source.line) from None
    except ValueError as error:
        raise DocumentError(f"is not JSON: {error}", source.line) from None
    if _is_deep(value):
        raise DocumentError(f"more than {MAX_DEPTH} levels of nesting", source.line)
    return value


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)  # type: ignore[attr-defined]
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _count_leading_lines(text: str) -> int:
    """How many lines come before the one where the content starts."""
    for count, line in enumerate(text.split("\n")):
        stripped = line.removeprefix("---").strip()
        if stripped and not stripped.startswith("#"):
            return count
    return 0


def _find_lines(text: str) -> _Lines:
    """The line of each key and item; empty where the text cannot be read again."""
    if text.lstrip().startswith(("{", "[")):
        # JSON allows tabs between its tokens, and surrogate pairs as escapes; libyaml
        # takes neither. Both have the same number of lines, which is all that counts.
        text = re.sub(r"\\u[0-9a-fA-F]{4}", r"\\u0030", text.replace("\t", " "))
    lines: _Lines = {}
    try:
        events = open_events(text)
        event = events.get_event()
        while not isinstance(event, MappingStartEvent | SequenceStartEvent):
            if isinstance(event, ScalarEvent):
                return {}
            event = events.get_event()
        _collect_lines(events, event, lines)
    except (yaml.YAMLError, ValueError, AttributeError):
        return lines
    return lines


def _collect_lines(events: EventSource, start: Event, lines: _Lines) -> None:
    """Fill ``lines`` for the collection that ``start`` opened; its depth is bounded by now."""
    is_mapping = isinstance(start, MappingStartEvent)
    for index in _endless():
        event = events.get_event()
        line = line_of_event(event)
        key: str | int = index
        if is_mapping and isinstance(event, ScalarEvent):
            key = event.value
            event = events.get_event()
        elif is_mapping and isinstance(event, AliasEvent):
            event = events.get_event()
        if not isinstance(event, ScalarEvent | AliasEvent | MappingStartEvent | SequenceStartEvent):
            return
        below: _Lines = {}
        lines[key] = (line, below)
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            _collect_lines(events, event, below)
        elif isinstance(event, SequenceEndEvent):
            return


def _endless() -> Iterator[int]:
    index = 0
    while True:
        yield index
        index += 1
