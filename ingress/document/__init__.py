"""
YAML or JSON text to plain values; line numbers are computed only on demand.

A text is first split into its documents, so that an unchanged document of a changed file
is recognised and not parsed again. Each document is then parsed on its own, in slices if
needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Final, NoReturn, cast

import msgspec
import yaml

from ingress.document.json_value import build_json, looks_like_json
from ingress.document.line_index import LineIndex, Spans, index_lines
from ingress.document.yaml_value import ValueRefused, build_yaml
from ingress.errors import IngressError

Path = tuple[str | int, ...]
"""Keys and indexes from the document's root: ``("spec", "rules", 0, "host")``."""


class DocumentError(IngressError):
    """
    The text is neither YAML nor JSON, or has something that is not accepted.

    :param line: from 1, in the file.
    """

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class DocumentText(msgspec.Struct, frozen=True, gc=False):
    """
    One document of a file, not parsed yet.

    Not tracked by the garbage collector: a thread may make 30,000 of them, and a full
    collection there would block the reactor as well.
    """

    text: str
    line: int
    """The line of the file, from 1, on which ``text`` starts."""

    def __repr__(self) -> str:
        return f"DocumentText(line={self.line})"  # the text may hold a Secret


@dataclass(slots=True)
class Document:
    """A parsed document; ``value`` is made of dict, list, str, int, float, bool and None."""

    value: object = field(repr=False)
    source: DocumentText
    spans: Spans = field(default_factory=dict, repr=False)
    _index: LineIndex | None = field(default=None, repr=False)
    _indexed: tuple[str, int] | None = field(default=None, repr=False)
    """The item that ``_index`` covers; None for the whole document."""

    @property
    def line(self) -> int:
        """The line of the file on which the content starts."""
        return self.source.line + _count_leading_lines(self.source.text)

    def line_of(self, path: Path) -> int:
        """
        The line of the file with the key or item at ``path``.

        If there is no such path, the line of the nearest existing parent.
        """
        item = path[:2]
        span = self.spans.get(cast("tuple[str, int]", item)) if len(item) == 2 else None
        if span is None:
            return self.source.line + self._find_index(None).find(path)
        if len(path) == 2:
            return self.source.line + span.line
        return self.source.line + self._find_index(cast("tuple[str, int]", item)).find(path[2:])

    def part(self, path: Path) -> DocumentPart:
        """:return: what is at a path, to find lines in it when the document is gone."""
        item = cast("tuple[str, int]", path[:2])
        span = self.spans.get(item)
        if span is None or len(path) != 2:
            leading = self.line - self.source.line
            return DocumentPart(self.source.text, self.source.line, leading, path)
        return DocumentPart(span.cut(self.source.text), self.source.line, span.line)

    def _find_index(self, item: tuple[str, int] | None) -> LineIndex:
        """The lines of an item or of the whole document; kept for the next question."""
        if self._index is None or self._indexed != item:
            text = self.source.text
            if item is None:
                self._index = index_lines(text, self.line - self.source.line)
            else:
                self._index = index_lines(self.spans[item].cut(text), self.spans[item].line)
            self._indexed = item
        return self._index


@dataclass(slots=True)
class DocumentPart:
    """The text of a value in a document, which may hold a Secret."""

    text: str = field(repr=False)
    line: int
    """The line of the file, from 1, on which the document starts."""

    root: int
    """The line of the document, from 0, on which the text has its root."""

    path: Path = ()
    """Of the value below this root."""

    _index: LineIndex | None = field(default=None, repr=False, compare=False)

    def line_of(self, path: Path) -> int:
        """:return: the line of the file of a path below the value, or of its nearest parent."""
        if self._index is None:
            self._index = index_lines(self.text, self.root)
        return self.line + self._index.find((*self.path, *path))


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


_MARKERS: Final = ("---", "...")
"""
What starts or ends a document, at the start of a line. YAML forbids such lines inside
scalars (specification 1.2, section 9.1.2), so that no scalar is cut in two.
"""

_FOUND_AT_ONCE: Final = 64 * 1024
"""Characters for one search: no other thread can run during it."""

_NOTHING: Final = re.compile(r"(?:---)?(?:[ \t]*(?:#.*)?\n|%.*\n)*(?:[ \t]*(?:#.*)?|%.*)")
"""Blank lines, comments and directives without a document."""


def split_documents(text: str) -> list[DocumentText]:
    """The documents of a text, in order; those without content are left out."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\ufeff" in text:
        # In concatenated files, each part may begin with a byte order mark.
        text = text.removeprefix("\ufeff").replace("\n\ufeff---", "\n---")
    found = []
    start, line, counted = 0, 1, 0
    for position in (*_find_markers(text), len(text)):
        content = text[start:position]
        if not _NOTHING.fullmatch(content):
            line += text.count("\n", counted, start)
            counted = start
            found.append(DocumentText(content, line))
        # The text after "..." is a document of its own, without that marker.
        start = position + 3 if text.startswith("...", position) else position
    return found


def _find_markers(text: str) -> list[int]:
    """The positions of the markers; `str.find` is ten times as fast here as a pattern."""
    found = [0] if text[:3] in _MARKERS and _ends_marker(text, 3) else []
    for marker in _MARKERS:
        for position in _find_all(text, f"\n{marker}"):
            if _ends_marker(text, position + 4):
                found.append(position + 1)
    return sorted(found)


def _find_all(text: str, wanted: str) -> Iterator[int]:
    start = 0
    while start < len(text):
        end = start + _FOUND_AT_ONCE
        position = text.find(wanted, start, end + len(wanted) - 1)
        if position < 0:
            start = end
        else:
            yield position
            start = position + 1


def _ends_marker(text: str, position: int) -> bool:
    return text[position : position + 1] in ("", " ", "\t", "\n")


def load_documents(text: str) -> list[Document]:
    """
    Every document of a text; those without content are left out.

    :raises DocumentError: for the first broken document.
    """
    parsed = (parse_document(source) for source in split_documents(text))
    return [document for document in parsed if document.value is not None]


def parse_document(source: DocumentText) -> Document:
    """
    Parse one document without yielding.

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
    not_json: ValueError | None = None
    try:
        if looks_like_json(source.text):
            try:
                value, spans = yield from build_json(source.text)
                return Document(value, source, spans)
            except ValueError as error:
                not_json = error
        value, spans = yield from build_yaml(source.text)
    except ValueRefused as error:
        message = error.message + _template_hint(source)
        raise DocumentError(message, source.line + error.line) from None
    except (yaml.YAMLError, ValueError) as error:
        _refuse(not_json or error, source)
    return Document(value, source, spans)


def _refuse(error: Exception, source: DocumentText) -> NoReturn:
    """Raise a parser's error as a DocumentError."""
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
    elif isinstance(error, json.JSONDecodeError):
        line, reason = error.lineno - 1, f"is not JSON: {error.msg}"
    raise DocumentError(reason + _template_hint(source), source.line + line) from None


def _template_hint(source: DocumentText) -> str:
    """A hint for text that looks like a template of a Helm chart, a common mistake."""
    return "; templates must be rendered first (helm template)" if "{{" in source.text else ""


def _count_leading_lines(text: str) -> int:
    """The number of lines before the content."""
    start = 0
    for count in range(text.count("\n") + 1):
        end = text.find("\n", start)
        line = text[start:end] if end >= 0 else text[start:]
        stripped = line.removeprefix("---").strip()
        if stripped and not stripped.startswith("#"):
            return count
        start = end + 1
    return 0
